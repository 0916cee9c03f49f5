//! `user reset`: a new code for a person who cannot log in.

use super::{open_state, token::accounts};
use crate::arguments::UserCommand;
use control_plane::api::error::ApiError;

pub(super) async fn run(command: UserCommand) -> anyhow::Result<()> {
    let UserCommand::Reset { state, name } = command;
    let state = open_state(&state.state)?;
    let code = accounts(&state).reset_code(&name).await?;
    let code = code.ok_or_else(|| ApiError::not_found("person", &name))?;
    println!("Setup code: {code}");
    eprintln!(
        "good for an hour; `{name}` enters it on the console's setup page with a new password"
    );
    state.close().await;
    Ok(())
}
