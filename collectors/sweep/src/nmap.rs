//! nmap as the engine, and saved reports of it.
//!
//! The program runs with a fixed set of arguments that a target cannot add to; its report is read as a stream while it
//! runs. Cancelling the run ends the program. Deliberately not here: scripts that are not nmap's category `safe`.

mod xml;

use crate::found::Host;
use crate::observe;
use crate::options::{Options, Profile};
use collector::{CollectError, Run, Target};
use model::Coverage;
use model::run::CoverageReason;
use std::io;
use std::process::Stdio;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// The most bytes of an error message that are read.
const ERROR_BYTES_MAX: u64 = 4096;

/// What nmap is given beside addresses and ports, by profile.
const fn arguments(profile: Profile) -> &'static [&'static str] {
    match profile {
        Profile::Discovery => &["-sn"],
        Profile::TopPorts => &[],
        Profile::Services => &["-sV", "--version-light"],
        Profile::Os => &["-sV", "--version-light", "-O", "--osscan-limit"],
        Profile::SafeScripts => &[
            "-sV",
            "--version-light",
            "-O",
            "--osscan-limit",
            "--script=safe and not (broadcast or external or dos or intrusive)",
        ],
    }
}

/// The whole command line but for the addresses, which come by standard input.
fn command_line(options: &Options) -> Vec<String> {
    let mut line: Vec<String> = ["-n", "-T4", "-oX", "-", "-iL", "-"].map(str::to_owned).into();
    line.extend(arguments(options.profile).iter().map(|word| (*word).to_owned()));
    if !options.ports.is_empty() {
        let ports: Vec<String> = options.ports.iter().map(u16::to_string).collect();
        line.extend(["-p".to_owned(), ports.join(",")]);
    }
    line.extend(["--max-rate".to_owned(), options.pace.rate.to_string()]);
    if options.is_assumed_up {
        line.push("-Pn".to_owned());
    }
    if options.pace.is_fragile {
        line.extend(["--max-parallelism", "1", "-sT"].map(str::to_owned));
    }
    if options.addresses.iter().next().is_some_and(|first| first.is_ipv6()) {
        line.push("-6".to_owned());
    }
    line
}

/// Runs nmap.
pub(crate) async fn sweep(
    target: &Target,
    options: &Options,
    run: &mut Run<'_>,
) -> Result<Coverage, CollectError> {
    let unreachable =
        |source: io::Error| CollectError::Unreachable { target: target.id.clone(), source };
    let mut command = Command::new("nmap");
    command.args(command_line(options)).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CollectError::Misconfigured {
                target: target.id.clone(),
                what: "the program nmap is not installed on the agent's host; install it, or take the engine `builtin`".into(),
            });
        }
        Err(error) => return Err(unreachable(error)),
    };
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err(unreachable(io::Error::other("nmap has no output")));
    };
    let (named, seen, said) = tokio::join!(
        name_addresses(stdin, options),
        read(stdout, target, options, run),
        error_text(stderr),
    );
    let status = child.wait().await.map_err(unreachable)?;
    let mut coverage = seen.map_err(unreachable)?;
    if let Err(error) = named {
        run.failed("addresses for nmap", error);
    }
    if !status.success() {
        run.failed("nmap", format!("ended with {status}: {said}"));
        coverage = Coverage::partial(
            CoverageReason::Malformed,
            format!("nmap ended with {status}: {said}"),
        );
    }
    Ok(coverage)
}

async fn name_addresses(
    mut stdin: tokio::process::ChildStdin,
    options: &Options,
) -> io::Result<()> {
    use tokio::io::AsyncWriteExt;
    /// Addresses that are written at once.
    const AT_ONCE: usize = 1024;
    let mut addresses = options.addresses.iter().peekable();
    while addresses.peek().is_some() {
        let lines: String =
            addresses.by_ref().take(AT_ONCE).map(|address| format!("{address}\n")).collect();
        stdin.write_all(lines.as_bytes()).await?;
    }
    stdin.shutdown().await
}

async fn error_text(stderr: tokio::process::ChildStderr) -> String {
    let mut stderr = stderr;
    let mut bytes = Vec::new();
    // What was read until then is told.
    (&mut stderr).take(ERROR_BYTES_MAX).read_to_end(&mut bytes).await.unwrap_or_default();
    // The rest is thrown away, so that the program does not wait for it to be read.
    tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await.unwrap_or_default();
    crate::text::printable(&bytes, 300)
}

/// Reads a saved report.
pub(crate) async fn import(
    target: &Target,
    options: &Options,
    path: &str,
    run: &mut Run<'_>,
) -> Result<Coverage, CollectError> {
    let unusable = |error: io::Error| CollectError::Misconfigured {
        target: target.id.clone(),
        what: format!(
            "the report `{path}` cannot be read: {error}; name a file of `nmap -oX` on the agent's host"
        ),
    };
    let file = tokio::fs::File::open(path).await.map_err(unusable)?;
    let kind = file.metadata().await.map_err(unusable)?;
    if !kind.is_file() {
        return Err(unusable(io::Error::other("it is no file")));
    }
    read(file, target, options, run).await.map_err(unusable)
}

/// Observes the hosts of a report while it is read.
async fn read(
    report: impl AsyncRead + Unpin + Send,
    target: &Target,
    options: &Options,
    run: &mut Run<'_>,
) -> io::Result<Coverage> {
    let total = u64::try_from(options.addresses.count()).ok();
    let mut count = 0_u64;
    let mut foreign = 0_u64;
    let end = {
        let run = &mut *run;
        let mut each = |host: Host| {
            // A report may be of anything; only the target's own addresses are its business.
            if !host.address.is_some_and(|address| options.addresses.contains(address)) {
                foreign += 1;
                return;
            }
            count += 1;
            observe::observe(&host, &target.site, &target.id, &mut |seen| run.saw(seen));
            run.progress("hosts of nmap", count, total);
        };
        xml::read(report, &mut each).await
    };
    if foreign > 0 {
        run.failed(
            "hosts of the report",
            format!("{foreign} have addresses that the target does not name"),
        );
    }
    match end {
        Ok(true) if run.is_cut() => Ok(Coverage::partial(
            CoverageReason::LimitReached,
            "more items than one run may report; divide the target",
        )),
        Ok(true) => Ok(Coverage::complete()),
        Ok(false) => {
            run.failed("nmap's report", "it ends before nmap had finished");
            Ok(Coverage::partial(
                CoverageReason::Malformed,
                "nmap's report ends before it had finished",
            ))
        }
        Err(error) if count > 0 => {
            run.failed("nmap's report", &error);
            Ok(Coverage::partial(CoverageReason::Malformed, error.to_string()))
        }
        Err(error) => Err(io::Error::other(error)),
    }
}

#[cfg(test)]
mod tests;
