//! The file that `sam` reads, samconfig.toml
//! (<https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html>):
//! a section for each environment, made of the repository's own.

use anyhow::{Context as _, Result, bail, ensure};
use toml::Table;

/// What the repository comes with: the environment `default`, without parameters.
const SHIPPED: &str = include_str!("../../../../samconfig.toml");

/// What an environment says.
pub(super) struct Section<'a> {
    pub(super) env: &'a str,
    pub(super) stack: &'a str,
    pub(super) region: &'a str,
    /// Names and values of the template's parameters.
    pub(super) parameters: &'a [(String, String)],
}

impl Section<'_> {
    /// The file's text with this section in it. Other environments stay as they are; this one is replaced if it is
    /// as shipped, or if that is wished for.
    ///
    /// # Errors
    /// If the text is no TOML, or the environment is there and `force` is not wished for.
    pub(super) fn put_into(&self, text: Option<&str>, force: bool) -> Result<String> {
        let before = text.map(table).transpose()?.unwrap_or_default();
        let shipped = table(SHIPPED)?;
        if let Some(there) = before.get(self.env)
            && Some(there) != shipped.get("default")
            && !force
        {
            bail!("the environment `{}` is there already; give another --config-env, or --force", self.env);
        }
        let kept = text.map(|text| without(text, self.env)).filter(|kept| kept.contains("\n["));
        let mut after = match kept {
            Some(kept) => format!("{}\n\n{}", kept.trim_end(), self.blocks()),
            None => format!("{}{}", heading(), self.blocks()),
        };
        after.truncate(after.trim_end().len());
        after.push('\n');
        let written = table(&after).context("the new samconfig.toml would be no TOML")?;
        let others = |table: &Table| {
            table.iter().filter(|(env, _)| *env != self.env).map(|(k, v)| (k.clone(), v.clone())).collect()
        };
        let (was, is): (Table, Table) = (others(&before), others(&written));
        ensure!(was == is || text.is_none(), "another environment would be changed; nothing was written");
        Ok(after)
    }

    /// The shipped blocks under this environment's name, with what is this deployment's own.
    fn blocks(&self) -> String {
        let mut lines = Vec::new();
        for line in SHIPPED.lines().skip_while(|line| !line.starts_with('[')) {
            match line {
                _ if line.starts_with("stack_name = ") => {
                    lines.push(format!("stack_name = {}", quoted(self.stack)));
                    lines.push(format!("region = {}", quoted(self.region)));
                }
                _ => lines.push(line.replacen("[default.", &format!("[{}.", self.env), 1)),
            }
        }
        // The last block is the one of `deploy`; a test holds it so.
        lines.push("parameter_overrides = [".to_owned());
        for (name, value) in self.parameters {
            lines.push(format!("  {},", quoted(&format!("{name}={value}"))));
        }
        lines.push("]".to_owned());
        lines.join("\n")
    }
}

/// What stands above the first block.
fn heading() -> String {
    SHIPPED.split_inclusive('\n').take_while(|line| !line.starts_with('[')).collect()
}

/// The text without the blocks of an environment.
fn without(text: &str, env: &str) -> String {
    let mut ours = false;
    let mut kept = String::new();
    for line in text.lines() {
        if let Some(name) = line.trim().strip_prefix('[') {
            ours = name.split(['.', ']']).next() == Some(env);
        }
        if !ours {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn table(text: &str) -> Result<Table> {
    text.parse().context("samconfig.toml is no TOML; correct it, or name another file with --config")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section<'a>(env: &'a str, parameters: &'a [(String, String)]) -> Section<'a> {
        Section { env, stack: "billing", region: "eu-central-1", parameters }
    }

    fn parameters() -> Vec<(String, String)> {
        vec![("SlackChannels".into(), "billing-alerts=C01,billing-risk=C02".into())]
    }

    fn at<'a>(table: &'a Table, path: &[&str]) -> &'a toml::Value {
        let (first, rest) = path.split_first().unwrap();
        rest.iter().fold(&table[*first], |value, name| &value[*name])
    }

    #[test]
    fn a_new_file_says_all_that_the_shipped_one_says_and_what_is_its_own() {
        let parameters = parameters();
        for text in [None, Some(SHIPPED)] {
            let text = section("default", &parameters).put_into(text, false).unwrap();
            let written = table(&text).unwrap();
            assert_eq!(at(&written, &["version"]).as_float(), Some(0.1));
            let global = at(&written, &["default", "global", "parameters"]);
            assert_eq!(
                (global["stack_name"].as_str(), global["region"].as_str()),
                (Some("billing"), Some("eu-central-1"))
            );
            let deploy = at(&written, &["default", "deploy", "parameters"]);
            assert_eq!(deploy["capabilities"].as_str(), Some("CAPABILITY_IAM"));
            let overrides = deploy["parameter_overrides"].as_array().unwrap();
            assert_eq!(overrides[0].as_str(), Some("SlackChannels=billing-alerts=C01,billing-risk=C02"));
            assert_eq!(at(&written, &["default", "build", "parameters"])["cached"].as_bool(), Some(false));
        }
    }

    #[test]
    fn environments_stand_beside_each_other_and_none_is_overwritten_by_accident() {
        let parameters = parameters();
        let one = section("default", &parameters).put_into(None, false).unwrap();
        let two = section("test", &parameters).put_into(Some(&one), false).unwrap();
        let written = table(&two).unwrap();
        assert!(written.contains_key("default") && written.contains_key("test"));
        assert!(two.starts_with(&one.trim_end().to_owned()));
        for env in ["default", "test"] {
            assert!(section(env, &parameters).put_into(Some(&two), false).is_err(), "{env}");
        }
        let other = vec![("SlackChannels".to_owned(), "billing-alerts=C09".to_owned())];
        let three = section("test", &other).put_into(Some(&two), true).unwrap();
        assert_eq!(table(&three).unwrap()["default"], written["default"]);
        assert!(three.contains("C09") && three.matches("[test.deploy.parameters]").count() == 1);
        assert!(section("default", &parameters).put_into(Some("= no"), true).is_err());
    }
}
