//! `item lock|unlock|locks`.

use super::items::item_id;
use super::time::later;
use super::{array_at, text_at};
use crate::arguments::Common;
use crate::arguments::locks::{ItemCommand, LockArguments};
use crate::client::{Client, encoded};
use crate::error::Error;
use crate::output::{self, Listing, cell};
use http::Method;
use serde_json::{Value, json};

/// Does what `dharma item …` says.
pub(crate) async fn run(
    common: &Common,
    client: &Client,
    command: ItemCommand,
) -> Result<(), Error> {
    match command {
        ItemCommand::Lock(arguments) => lock(client, &arguments).await,
        ItemCommand::Unlock { item, attribute } => {
            let id = item_id(client, &item).await?;
            client.send(Method::DELETE, &path(&id, &attribute), None).await?;
            output::note(&format!("sources decide about `{attribute}` again"));
            Ok(())
        }
        ItemCommand::Locks { item } => locks(common, client, &item).await,
    }
}

fn path(id: &str, attribute: &str) -> String {
    format!("/api/v1/items/{id}/locks/{}", encoded(attribute))
}

async fn lock(client: &Client, arguments: &LockArguments) -> Result<(), Error> {
    let LockArguments { item, attribute, values, absent, until, why } = arguments;
    let id = item_id(client, item).await?;
    let shown = client.get(&format!("/api/v1/items/{id}"), &[]).await?;
    let classes = array_at(client, &client.get("/api/v1/classes", &[]).await?, "classes")?;
    let kind = kind_of(&classes, text_at(&shown, "class"), attribute);
    let value = if *absent { Value::Null } else { value_of(&kind, values)? };
    let until = until.as_deref().map(later).transpose()?;
    let body = json!({"value": value, "until": until, "why": why});
    let answer = client.send(Method::PUT, &path(&id, attribute), Some(body)).await?;
    let until = text_at(&answer.body, "until");
    output::note(&format!(
        "`{attribute}` is fixed until {until}; `dharma item unlock` lets sources decide again"
    ));
    Ok(())
}

/// The declared kind of an attribute; empty when there is none, about which the control plane says the rest.
fn kind_of(classes: &[Value], class: &str, attribute: &str) -> String {
    let class = classes.iter().find(|known| text_at(known, "name") == class);
    let attributes = class.and_then(|class| class.get("attributes")?.as_array());
    let mut attributes = attributes.into_iter().flatten();
    let found = attributes.find(|known| text_at(known, "name") == attribute);
    found.map(|found| text_at(found, "kind").to_owned()).unwrap_or_default()
}

/// What was typed, as JSON of that kind.
fn value_of(kind: &str, typed: &[String]) -> Result<Value, Error> {
    if kind == "text_list" {
        return Ok(json!(typed));
    }
    let [one] = typed else {
        return Err(Error::Usage("this attribute has one value".to_owned()));
    };
    if matches!(kind, "text" | "time" | "") {
        return Ok(json!(one));
    }
    serde_json::from_str(one).map_err(|_| {
        let kind = kind.replace('_', " ");
        Error::Usage(format!("`{one}` is no {kind}, written as JSON"))
    })
}

async fn locks(common: &Common, client: &Client, item: &str) -> Result<(), Error> {
    let id = item_id(client, item).await?;
    let answer = client.get(&format!("/api/v1/items/{id}/locks"), &[]).await?;
    let objects = array_at(client, &answer, "locks")?;
    let headings =
        ["attribute", "value", "until", "said_by", "since", "why"].map(str::to_owned).to_vec();
    let rows = objects
        .iter()
        .map(|lock| {
            headings.iter().map(|name| cell(lock.get(name).unwrap_or(&Value::Null))).collect()
        })
        .collect();
    output::listing(common.output, &Listing { objects, headings, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_becomes_the_kind_that_the_attribute_has() {
        let typed = |kind: &str, values: &[&str]| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            value_of(kind, &values).ok()
        };
        assert_eq!(typed("text", &["4"]), Some(json!("4")));
        assert_eq!(typed("count", &["4"]), Some(json!(4)));
        assert_eq!(typed("boolean", &["true"]), Some(json!(true)));
        assert_eq!(typed("text_list", &["a", "b"]), Some(json!(["a", "b"])));
        assert_eq!(typed("record", &["{\"a\": 1}"]), Some(json!({"a": 1})));
        assert_eq!(typed("count", &["many"]), None);
        assert_eq!(typed("text", &["a", "b"]), None);
    }
}
