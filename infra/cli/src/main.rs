//! The operator's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    countersign::run(std::env::args_os())
}
