//! `cargo speed`: the functions' release binaries beside a function that does nothing, and beside the same job in
//! Node and Python. What the columns mean stands in the README.

mod aws;
mod backend;
mod binaries;
mod deliveries;
mod measure;
mod peers;
mod process;
mod report;
mod runtime_api;
mod subject;
mod wire;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use sandbox::world::Function;
use serde_json::{Value, json};

use self::{
    aws::Services, backend::Backend, binaries::Binaries, deliveries::Deliveries, measure::Instructions,
    peers::Peer, report::Row, subject::Subject,
};

/// Measures the functions beside a no-op, Node and Python.
#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Options {
    /// Folder with binaries, as `NAME` or `NAME/bootstrap`; what is not there is built
    #[arg(long, value_name = "DIR")]
    bin: Option<PathBuf>,
    /// Starts of each subject
    #[arg(long, default_value_t = 15)]
    rounds: u32,
    /// Events of each start after the first
    #[arg(long, default_value_t = 200)]
    events: u32,
    /// Events over which instructions are counted; 0 counts none
    #[arg(long, default_value_t = 20)]
    counted: u64,
    /// Leaves processor, approver and reconciler out, which take longest to build
    #[arg(long, conflicts_with_all = ["check", "record"])]
    ingress: bool,
    /// Leaves Node and Python out
    #[arg(long)]
    no_peers: bool,
    /// Runs the benchmarks of the parts as well: signature, envelope, policy
    #[arg(long)]
    parts: bool,
    /// Fails if instructions are a fifth above the baseline
    #[arg(long, conflicts_with = "record")]
    check: bool,
    /// Writes the baseline
    #[arg(long)]
    record: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.join("../..");
    let target = root.join("target/speed");
    fs::create_dir_all(&target)?;
    let binaries = Binaries::prepare(&root, options.bin.as_deref(), options.ingress)?;
    // Threads that answer come from this one; the measured processes have a core of their own.
    let others = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) - 1;
    let pinned = process::pin(others);
    let services = Services::start(&target.join("tls"))?;
    let backend = Backend::start()?;
    let deliveries = Deliveries::of(&backend.event()?)?;
    let peers = if options.no_peers { Vec::new() } else { installed(here, &target)? };
    let policy = (!options.ingress).then(|| root.join("infra/policy"));
    let subjects = subjects(&binaries, &services, &backend, &deliveries, peers, policy.as_deref())?;

    let mut rows: Vec<Row> = Vec::new();
    for subject in &subjects {
        let size = subject.size(&target)?;
        rows.push(Row { name: subject.name, samples: Vec::new(), size, instructions: None });
    }
    // The first round fills caches and counts for nothing.
    for round in 0..=options.rounds {
        for (subject, row) in subjects.iter().zip(&mut rows) {
            let sample = measure::sample(subject, options.events)?;
            if round > 0 {
                row.samples.push(sample);
            }
        }
        eprint!("\rround {round} of {}", options.rounds);
    }
    eprintln!();
    let worked = usize::try_from((options.rounds + 1) * (options.events + 1))?;
    anyhow::ensure!(options.ingress || backend.alerts() >= worked, "the processor decided and told nobody");
    if options.counted > 0 {
        for (subject, row) in subjects.iter().zip(&mut rows).filter(|(subject, _)| subject.native) {
            eprintln!("counting the instructions of `{}`", subject.name);
            row.instructions = Some(measure::instructions(subject, options.counted, &target)?);
        }
    }
    println!(
        "{} rounds of 1 + {} events; a delivery has {} bytes; {}\n",
        options.rounds,
        options.events,
        deliveries.size(),
        if pinned { "pinned to a core" } else { "NOT PINNED: `taskset` is missing, and ratios swing" },
    );
    println!("{}", report::subjects(&rows));
    let (bars, missed) = report::bars(&rows);
    println!("{bars}");
    if missed > 0 {
        println!("{missed} bars are missed.\n");
    }
    baseline(options, &here.join("baseline.toml"), &rows)?;
    if options.parts {
        let status = Command::new("cargo").args(["speed-parts", "--", "--quick"]).current_dir(&root).status();
        anyhow::ensure!(status?.success(), "a benchmark failed");
    }
    Ok(())
}

/// Node and Python. Without their tools they are left out, unless this is CI.
fn installed(here: &Path, target: &Path) -> Result<Vec<(&'static str, Peer)>> {
    let ci = runtime::Env::of_process().optional("CI") == Some("true");
    let mut peers = Vec::new();
    for (name, peer) in [("Node", peers::node(here, target)), ("Python", peers::python(here, target))] {
        match peer {
            Ok(peer) => peers.push((name, peer)),
            Err(error) if ci => return Err(error.context(format!("{name} cannot be measured"))),
            Err(error) => println!("{name} is left out: {error:#}"),
        }
    }
    Ok(peers)
}

fn subjects<'a>(
    binaries: &Binaries,
    services: &Services,
    backend: &'a Backend,
    deliveries: &'a Deliveries,
    peers: Vec<(&'static str, Peer)>,
    policy: Option<&Path>,
) -> Result<Vec<Subject<'a>>> {
    let native = |name, file: &str, variables, events, good| -> Result<Subject<'a>> {
        let path = binaries.path(file)?;
        let files = vec![path.clone()];
        Ok(Subject { name, command: vec![path.into()], variables, files, events, good, native: true })
    };
    let delivery = || -> subject::Events<'a> { Box::new(|| Ok(deliveries.next())) };
    let accepted = |answer: &Value| answer.get("statusCode") == Some(&200.into());
    let page = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "", "headers": {},
        "requestContext": {
            "accountId": "000000000000", "apiId": "abc123", "domainName": "abc123.example.test",
            "http": { "method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" },
            "requestId": "r", "routeKey": "$default", "stage": "$default"
        },
        "isBase64Encoded": false
    });
    let fixed =
        |event: Value| -> subject::Events<'a> { Box::new(move || Ok(event.to_string().into_bytes())) };
    let mut all = vec![
        native("no-op", "noop", BTreeMap::new(), delivery(), Value::is_null)?,
        native("ingress", "ingress", services.variables(false), delivery(), accepted)?,
        native("ingress over TLS", "ingress_tls", services.variables(true), delivery(), accepted)?,
    ];
    if let Some(policy) = policy {
        let told = |function| backend.variables(function, policy);
        all.push(native(
            "processor",
            "processor",
            told(Function::Processor),
            Box::new(|| backend.batch()),
            |answer| answer.get("batchItemFailures").and_then(Value::as_array).is_some_and(Vec::is_empty),
        )?);
        all.push(native("approver", "approver", told(Function::Approver), fixed(page), accepted)?);
        all.push(native(
            "reconciler",
            "reconciler",
            told(Function::Reconciler),
            fixed(json!({ "sweep": "steps" })),
            Value::is_object,
        )?);
    }
    for (name, Peer { command, variables, files }) in peers {
        let mut told = services.variables(true);
        told.extend(variables);
        let events = delivery();
        all.push(Subject { name, command, variables: told, files, events, good: accepted, native: false });
    }
    Ok(all)
}

/// Writes the baseline of this machine's kind, or holds what was counted against it.
fn baseline(options: &Options, path: &Path, rows: &[Row]) -> Result<()> {
    type Baseline = BTreeMap<String, BTreeMap<String, Instructions>>;
    let kind = std::env::consts::ARCH;
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut known: Baseline = toml::from_str(&text).with_context(|| format!("`{}`", path.display()))?;
    if options.record {
        let counted = rows.iter().filter_map(|row| Some((row.name.to_owned(), row.instructions?)));
        known.insert(kind.to_owned(), counted.collect());
        fs::write(path, written(&known))?;
        println!("wrote {}", path.display());
    }
    if options.check {
        let Some(known) = known.get(kind) else {
            bail!("there is no baseline for {kind}: `cargo speed --record` writes one");
        };
        let (table, grown) = report::regressions(rows, known);
        println!("{table}");
        if !grown.is_empty() {
            bail!("more instructions than a fifth above the baseline:\n{}", grown.join("\n"));
        }
    }
    Ok(())
}

fn written(known: &BTreeMap<String, BTreeMap<String, Instructions>>) -> String {
    let mut text = String::from(
        "# Instructions of a start with its first event and of each later event, counted by callgrind.\n\
         # `cargo speed --record` writes this file; `cargo speed --check` fails above it by more than a fifth.\n",
    );
    for (kind, subjects) in known {
        text.extend(subjects.iter().map(|(name, Instructions { cold, event })| {
            format!("\n[{kind}.\"{name}\"]\ncold = {cold}\nevent = {event}\n")
        }));
    }
    text
}
