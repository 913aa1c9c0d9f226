//! The same job as a user would otherwise do it: Node and Python with the vendors' packages, installed below the
//! target folder.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use runtime::Env;

/// A command with what it finds in its environment and what an account would get.
pub(crate) struct Peer {
    pub(crate) command: Vec<OsString>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) files: Vec<PathBuf>,
}

/// A program on the path.
pub(crate) fn find(program: &str) -> Option<OsString> {
    let env = Env::of_process();
    let mut folders =
        env.optional("PATH").unwrap_or_default().split(':').map(|folder| Path::new(folder).join(program));
    folders.find(|path| path.is_file()).map(Into::into)
}

/// Node with `stripe` and `@aws-sdk/client-sqs`, bundled into one file.
pub(crate) fn node(sources: &Path, target: &Path) -> Result<Peer> {
    let (node, npm) = (find("node").context("`node` is missing")?, find("npm").context("`npm` is missing")?);
    let folder = target.join("node");
    fs::create_dir_all(&folder)?;
    for name in ["package.json", "index.js"] {
        fs::copy(sources.join("node").join(name), folder.join(name))?;
    }
    run(Command::new(npm).args(["install", "--silent", "--no-audit", "--no-fund"]).current_dir(&folder))?;
    let bundle = folder.join("bundle/index.mjs");
    run(Command::new(folder.join("node_modules/.bin/esbuild")).current_dir(&folder).args([
        "index.js",
        "--bundle",
        "--minify",
        "--platform=node",
        "--target=node20",
        "--format=esm",
        // Packages of the older kind ask for others by this name.
        "--banner:js=import{createRequire}from'module';const require=createRequire(import.meta.url);",
        "--outfile=bundle/index.mjs",
        "--log-level=error",
    ]))?;
    Ok(Peer { command: vec![node, bundle.clone().into()], variables: BTreeMap::new(), files: vec![bundle] })
}

/// Python with `stripe` and `boto3`.
pub(crate) fn python(sources: &Path, target: &Path) -> Result<Peer> {
    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    let python = String::from_utf8(python.context("`python3` is missing")?.stdout)?;
    let (folder, source) = (target.join("python"), sources.join("python"));
    fs::create_dir_all(&folder)?;
    let (wanted, installed) = (source.join("requirements.txt"), folder.join("requirements.txt"));
    if fs::read(&wanted)? != fs::read(&installed).unwrap_or_default() {
        let mut pip = Command::new(python.trim());
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target"]);
        run(pip.arg(folder.join("packages")).arg("--requirement").arg(&wanted))?;
        fs::copy(wanted, installed)?;
    }
    let main = folder.join("main.py");
    fs::copy(source.join("main.py"), &main)?;
    let packages = folder.join("packages");
    let variables = [("PYTHONPATH".to_owned(), packages.display().to_string())].into();
    Ok(Peer {
        command: vec![python.trim().into(), main.clone().into()],
        variables,
        files: vec![main, packages],
    })
}

/// Runs a command that has nothing to say.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stdout(Stdio::null()).status().with_context(|| format!("cannot run `{name}`"))?;
    ensure!(status.success(), "`{name}` failed");
    Ok(())
}
