use clap::Parser as _;

use super::*;
use crate::args::InitOptions;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    options: InitOptions,
}

/// A folder that is removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("init-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// The options of a line of flags, with all files in this folder.
    fn options(&self, flags: &[&str]) -> InitOptions {
        let (config, policy) = (self.0.join("samconfig.toml"), self.0.join("policy"));
        let files = ["--config", config.to_str().unwrap(), "--policy", policy.to_str().unwrap()];
        Line::try_parse_from(["init"].iter().chain(&files).chain(flags)).unwrap().options
    }

    fn config(&self) -> toml::Table {
        fs::read_to_string(self.0.join("samconfig.toml")).unwrap().parse().unwrap()
    }

    fn overrides(&self, env: &str) -> Vec<String> {
        let found =
            self.config()[env]["deploy"]["parameters"]["parameter_overrides"].as_array().unwrap().clone();
        found.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const FLAGS: [&str; 10] = [
    "--company",
    "Kiosk",
    "--billing-page",
    "https://kiosk.example.com/billing",
    "--region",
    "eu-central-1",
    "--parameter",
    "OidcClientId=123.456",
    "--parameter",
    "SlackChannels=billing-alerts=C01,billing-risk=C02",
];

fn quiet(options: &InitOptions) -> Result<End> {
    init(options, None::<Terminal<std::io::Empty, std::io::Empty>>)
}

#[test]
fn flags_alone_write_what_sam_and_the_functions_read() {
    let folder = Folder::new();
    let end = quiet(&folder.options(&FLAGS)).unwrap();
    assert!(end.code == 0 && end.out.contains("webhook register"), "{end:?}");
    assert_eq!(
        folder.overrides("default"),
        ["OidcClientId=123.456", "SlackChannels=billing-alerts=C01,billing-risk=C02"],
        "defaults stay the template's"
    );
    let bundle = runtime::policy::load(&folder.0.join("policy")).unwrap();
    assert!(bundle.channels().contains("billing-risk"));
    let house = fs::read_to_string(folder.0.join("policy/house.toml")).unwrap();
    assert!(house.contains("company = \"Kiosk\"") && house.contains("https://kiosk.example.com/billing"));
    assert!(house.contains("# As customers know us."), "what stands beside it is kept");
}

#[test]
fn what_is_missing_is_named_and_nothing_is_written() {
    let folder = Folder::new();
    let end = quiet(&folder.options(&["--parameter", "HelpDesk=zendesk"])).unwrap();
    assert_eq!(end.code, 2);
    for flag in [
        "--company",
        "--billing-page",
        "--region",
        "OidcClientId=",
        "SlackChannels=",
        "ZendeskUrl=",
        "ZendeskUser=",
    ] {
        assert!(end.error.contains(flag), "{flag}: {}", end.error);
    }
    assert!(!folder.0.join("samconfig.toml").exists() && !folder.0.join("policy").exists());
}

#[test]
fn what_the_template_would_refuse_is_refused_before_anything_is_written() {
    for (flags, told) in [
        (["--parameter", "OidcIssuer=http://x"], "OidcIssuer must be of the form"),
        (["--parameter", "MailFrom=a@example.com"], "--parameter MailIdentity"),
        (["--parameter", "Colour=red"], "no parameter `Colour`"),
        (["--parameter", "OidcClientId=again"], "given twice"),
        (["--stack", "Billing Stack"], "the stack's name"),
        (["--config-env", "a.b"], "--config-env has letters"),
    ] {
        let folder = Folder::new();
        let error = match quiet(&folder.options(&[&FLAGS[..], &flags].concat())) {
            Ok(end) => end.error,
            Err(error) => format!("{error:#}"),
        };
        assert!(error.contains(told), "{flags:?}: {error}");
        assert!(!folder.0.join("samconfig.toml").exists() && !folder.0.join("policy").exists(), "{flags:?}");
    }
    let folder = Folder::new();
    let mut flags = FLAGS;
    flags[9] = "SlackChannels=billing-alerts=C01";
    let error = quiet(&folder.options(&flags)).unwrap_err().to_string();
    assert!(error.contains("lacks the channel `billing-risk`"), "{error}");
}

#[test]
fn nothing_that_is_there_is_overwritten_without_force() {
    let folder = Folder::new();
    quiet(&folder.options(&FLAGS)).unwrap();
    let before = fs::read_to_string(folder.0.join("samconfig.toml")).unwrap();
    let again = [&FLAGS[..], &["--stack", "other"]].concat();
    let error = quiet(&folder.options(&again)).unwrap_err().to_string();
    assert!(error.contains("holds a policy already"), "{error}");
    let elsewhere = folder.0.join("policy-2");
    let mut options = folder.options(&again);
    options.policy.clone_from(&elsewhere);
    let error = quiet(&options).unwrap_err().to_string();
    assert!(error.contains("is there already"), "{error}");
    assert!(!elsewhere.exists() && fs::read_to_string(folder.0.join("samconfig.toml")).unwrap() == before);
    options.config_env = "test".to_owned();
    quiet(&options).unwrap();
    assert_eq!(folder.overrides("test"), folder.overrides("default"));
    quiet(&folder.options(&[&again[..], &["--force"]].concat())).unwrap();
    assert_eq!(folder.config()["default"]["global"]["parameters"]["stack_name"].as_str(), Some("other"));
}

#[test]
fn a_person_is_asked_for_the_rest_and_again_for_what_is_wrong() {
    let folder = Folder::new();
    let answers = [
        "Kiosk",
        "kiosk.example.com",
        "https://kiosk.example.com/billing",
        "Frankfurt",
        "eu-central-1",
        // OidcClientId, PublicUrl, billing-alerts twice, billing-risk.
        "123.456",
        "",
        "#billing",
        "C01",
        "C02",
        // Crm, what Salesforce needs, HelpDesk, AlarmEmail.
        "salesforce",
        "",
        "https://kiosk.my.salesforce.com",
        "consumer",
        "none",
        "ops@kiosk.example.com",
    ]
    .join("\n");
    let mut said = Vec::new();
    let end = init(&folder.options(&[]), Some(Terminal::new(format!("{answers}\n").as_bytes(), &mut said)))
        .unwrap();
    assert_eq!(end.code, 0, "{end:?}");
    assert_eq!(
        folder.overrides("default"),
        [
            "OidcClientId=123.456",
            "SlackChannels=billing-alerts=C01,billing-risk=C02",
            "Crm=salesforce",
            "SalesforceUrl=https://kiosk.my.salesforce.com",
            "SalesforceClientId=consumer",
            "AlarmEmail=ops@kiosk.example.com",
        ]
    );
    let said = String::from_utf8(said).unwrap();
    for told in ["a URL with https", "a region is like", "SlackChannels must be", "set SalesforceUrl"] {
        assert_eq!(said.matches(told).count(), 1, "{told}: {said}");
    }
}
