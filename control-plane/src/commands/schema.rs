//! `schema graphql|openapi`: the descriptions of the APIs, as the reference manual keeps them.

use crate::arguments::Api;
use anyhow::anyhow;
use control_plane::api::{graphql, rest};

pub(super) fn run(api: Api) -> anyhow::Result<()> {
    match api {
        Api::Graphql => {
            let sdl =
                graphql::sdl(&model::Catalog::built_in()).map_err(|reason| anyhow!(reason))?;
            print!("{sdl}");
        }
        Api::Openapi => println!("{}", rest::openapi::text()),
    }
    Ok(())
}
