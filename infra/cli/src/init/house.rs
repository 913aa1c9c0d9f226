//! The policy bundle with the company's own name and billing page in it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use runtime::http::Base;

const HOUSE: &str = "house.toml";

/// What house.toml is shipped with, which no company is called.
const EXAMPLE: &str = "Example Company";

/// Whether a company can be called so: it goes into messages to customers, as it is.
pub(super) fn company(name: &str) -> Result<()> {
    let plain = |letter: char| !letter.is_control() && !matches!(letter, '"' | '\\' | '{' | '}');
    ensure!(
        !name.trim().is_empty() && name.chars().count() <= 80 && name.chars().all(plain),
        "the company's name has 1 to 80 characters, and no quotes, braces or backslashes"
    );
    ensure!(name != EXAMPLE, "give your company's own name: customers read it in every message");
    Ok(())
}

/// Whether customers can be sent to this page.
pub(super) fn billing_page(url: &str) -> Result<()> {
    let good = url.starts_with("https://") && Base::parse(url).is_ok();
    ensure!(good, "the billing page is a URL with https, without user, query or fragment");
    Ok(())
}

/// The bundle that the repository comes with, and the folder that is to hold the company's own.
pub(super) struct Bundle {
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
}

impl Bundle {
    /// Refuses to replace what somebody wrote, before anything is written.
    ///
    /// # Errors
    /// Says where it is.
    pub(super) fn is_free(&self, force: bool) -> Result<()> {
        if force || !self.to.join(HOUSE).exists() {
            return Ok(());
        }
        let house = fs::read_to_string(self.to.join(HOUSE)).unwrap_or_default();
        ensure!(
            self.is_in_place() && house.contains(&line("company", EXAMPLE)),
            "`{}` holds a policy already; give another --policy, or --force",
            self.to.display()
        );
        Ok(())
    }

    /// Writes the bundle, and loads it as the functions will.
    ///
    /// # Errors
    /// If it cannot be written, or would not load.
    pub(super) fn write(&self, company: &str, billing_page: &str) -> Result<()> {
        if !self.is_in_place() {
            copy(&self.from, &self.to)?;
        }
        let house = self.to.join(HOUSE);
        let text =
            fs::read_to_string(&house).with_context(|| format!("cannot read `{}`", house.display()))?;
        let text: String = text
            .lines()
            .map(|old| match old.split_once(" = ") {
                Some(("company", _)) => line("company", company),
                Some(("billing_page", _)) => line("billing_page", billing_page),
                _ => old.to_owned(),
            })
            .flat_map(|line| [line, "\n".to_owned()])
            .collect();
        fs::write(&house, text).with_context(|| format!("cannot write `{}`", house.display()))?;
        runtime::policy::load(&self.to).map(drop)
    }

    /// Whether the repository's own bundle becomes the company's.
    pub(super) fn is_in_place(&self) -> bool {
        match (self.from.canonicalize(), self.to.canonicalize()) {
            (Ok(from), Ok(to)) => from == to,
            _ => false,
        }
    }
}

fn line(name: &str, value: &str) -> String {
    format!("{name} = \"{value}\"")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make the folder `{}`", to.display()))?;
    for entry in
        fs::read_dir(from).with_context(|| format!("cannot read the policy in `{}`", from.display()))?
    {
        let entry = entry?;
        let (old, new) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&old, &new)?;
        } else {
            fs::copy(&old, &new).with_context(|| format!("cannot write `{}`", new.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_customers_could_not_read_and_a_page_that_is_not_safe_are_refused() {
        assert!(company("Kiosk & Söhne GmbH").is_ok());
        for bad in ["", " ", "a\"b", "a\nb", "{{name}}", EXAMPLE] {
            assert!(company(bad).is_err(), "{bad}");
        }
        assert!(billing_page("https://kiosk.example.com/billing").is_ok());
        for bad in ["", "kiosk.example.com", "http://localhost/", "https://a@kiosk.example.com/"] {
            assert!(billing_page(bad).is_err(), "{bad}");
        }
    }
}
