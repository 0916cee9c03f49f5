//! The agent with one collector more, for tests of targets: it reads what a listener of the test says.
//!
//! The collector `banner` sends the name of its process and the password, each on a line. A listener that answers
//! with `ok` and a name lets it in. Its second scope stays connected until the look is dropped, so that the listener
//! sees who reads it at every moment.

use async_trait::async_trait;
use collector::{
    CollectError, Collector, Manifest, Platform, Remote, Run, ScopeDeclaration, Target,
};
use model::classes::host;
use model::{Coverage, IdentityKey, KeyType, Observation, Realm};
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 256;

static MANIFEST: Manifest = Manifest {
    name: "banner",
    summary: "Reads what a listener of a test says.",
    scopes: &[
        ScopeDeclaration {
            name: "device",
            summary: "The name that the listener says.",
            classes: &["host"],
            interval: Duration::from_secs(3600),
            time_limit: Duration::from_secs(10),
            is_volatile: false,
        },
        ScopeDeclaration {
            name: "watch",
            summary: "Nothing; it stays connected.",
            classes: &[],
            interval: Duration::from_secs(3600),
            time_limit: Duration::from_secs(600),
            is_volatile: false,
        },
    ],
    relationships: &[],
    privileges: &[],
    platforms: &[Platform::Linux],
    credentials: &["banner_password"],
    options: &[],
    is_remote: true,
};

#[derive(Debug)]
struct Banner;

async fn connected(
    remote: &Remote,
    password: &str,
) -> std::io::Result<(BufReader<TcpStream>, String)> {
    let port = remote.port.unwrap_or(7);
    let mut stream = TcpStream::connect((remote.address.as_str(), port)).await?;
    let hello = format!("{}\n{password}\n", std::process::id());
    stream.write_all(hello.as_bytes()).await?;
    let mut stream = BufReader::new(stream);
    let mut answer = String::new();
    (&mut stream).take(ANSWER_BYTES_MAX).read_line(&mut answer).await?;
    Ok((stream, answer.trim().to_owned()))
}

#[async_trait]
impl Collector for Banner {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    async fn collect(
        &self,
        target: &Target,
        scope: &str,
        run: &mut Run<'_>,
    ) -> Result<Coverage, CollectError> {
        let misconfigured = |what: &str| CollectError::Misconfigured {
            target: target.id.clone(),
            what: what.to_owned(),
        };
        let remote = target.remote.as_ref().ok_or_else(|| misconfigured("there is no address"))?;
        for credential in remote.credentials("banner_password") {
            let password =
                credential.secret("password").ok_or_else(|| misconfigured("no password"))?;
            let answer = connected(remote, password.expose()).await;
            let (mut stream, answer) = answer.map_err(|source| CollectError::Unreachable {
                target: target.id.clone(),
                source,
            })?;
            let Some(name) = answer.strip_prefix("ok ") else { continue };
            run.accepted(&credential.name);
            if scope == "watch" {
                run.progress("watching", 1, None);
                // Ends when the listener closes; what it says is of no interest.
                drop(stream.read_to_end(&mut Vec::new()).await);
                return Ok(Coverage::complete());
            }
            let key = IdentityKey::new(KeyType::Fqdn, Realm::site(&target.site), name);
            run.saw(
                Observation::of(&host::CLASS, "device").with(&host::FQDN, name.to_owned()).key(key),
            );
            return Ok(Coverage::complete());
        }
        let remedy = "give it the password of the test".to_owned();
        Err(CollectError::Refused { target: target.id.clone(), remedy })
    }
}

fn main() -> ExitCode {
    agent::collectors::add(vec![&Banner]);
    agent::main()
}
