//! Values of an item that people fix until a moment: listed, said and taken back.

use super::extract::{Body, Parameters, id};
use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Problem};
use crate::api::moment::{self, rfc3339};
use crate::api::view::{Json as AnyJson, json_of};
use crate::app::App;
use crate::identity::values::{Unfit, check, kind_of};
use crate::ingest::Fixed;
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use model::decision::LockRecord;
use model::{ItemId, Kind, Timestamp, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Letters of a reason: a sentence or two.
const WHY_LETTERS_MAX: usize = 1_000;

/// Values in a fixed value, its members and theirs: what a union holds at most.
const MEMBERS_MAX: usize = 4_096;

/// How deep a fixed record may be.
const DEPTH_MAX: usize = 8;

/// What is to be fixed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LockRequest {
    /// The value, as items show it; null says that there is none.
    #[serde(deserialize_with = "present")]
    pub value: AnyJson,
    /// When it ends, RFC 3339; without it, as late as the attribute's policy allows.
    #[serde(default)]
    pub until: Option<String>,
    /// Why.
    pub why: String,
}

/// A value that may be null, but not missing.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<AnyJson, D::Error> {
    AnyJson::deserialize(from)
}

/// A value that a person fixed.
#[derive(Debug, Serialize, ToSchema)]
pub struct LockView {
    /// The attribute.
    pub attribute: String,
    /// The value; null says that there is none.
    pub value: AnyJson,
    /// When it was said.
    pub since: String,
    /// When it ends.
    pub until: String,
    /// Who said it.
    pub said_by: String,
    /// Why.
    pub why: String,
}

impl From<&LockRecord> for LockView {
    fn from(record: &LockRecord) -> Self {
        let lock = &record.lock;
        Self {
            attribute: lock.attribute.to_string(),
            value: json_of(&lock.value),
            since: rfc3339(lock.since),
            until: rfc3339(lock.until),
            said_by: lock.said_by.clone(),
            why: record.why.clone(),
        }
    }
}

/// The values of an item that people fixed. Of two for one attribute, as after a merge, the newest wins.
#[derive(Debug, Serialize, ToSchema)]
pub struct LockList {
    /// The locks.
    pub locks: Vec<LockView>,
}

/// Until when a value is fixed.
#[derive(Debug, Serialize, ToSchema)]
pub struct LockedView {
    /// When the lock ends; the attribute's policy may end it before the moment that was asked for.
    pub until: String,
}

impl From<Unfit> for ApiError {
    fn from(unfit: Unfit) -> Self {
        let parameter = match unfit {
            Unfit::WrongKind { .. } => "value",
            Unfit::NoAttribute { .. } | Unfit::Reading(_) => "attribute",
        };
        Self::invalid(parameter, unfit.to_string())
    }
}

/// The values of an item that people fixed.
#[utoipa::path(get, path = "/api/v1/items/{id}/locks", tag = "items",
    params(("id" = String, Path, description = "Id of the item")),
    responses((status = 200, body = LockList), (status = "default", body = Problem)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(item): Path<String>,
    parameters: Parameters,
) -> Result<Json<LockList>, ApiError> {
    caller.may(Action::ItemsRead)?;
    parameters.finish()?;
    let found = app.identity.locks(id::<ItemId>("id", &item)?).await?;
    Ok(Json(LockList { locks: found.iter().map(Into::into).collect() }))
}

/// Fixes the value of an attribute, whatever sources say. What was fixed there before ends.
#[utoipa::path(put, path = "/api/v1/items/{id}/locks/{attribute}", tag = "items",
    params(("id" = String, Path, description = "Id of the item"),
        ("attribute" = String, Path, description = "Name of the attribute")),
    request_body = LockRequest,
    responses((status = 200, body = LockedView), (status = "default", body = Problem)))]
pub async fn put(
    State(app): State<App>,
    caller: Caller,
    Path((item, attribute)): Path<(String, String)>,
    Body(body): Body<LockRequest>,
) -> Result<Json<LockedView>, ApiError> {
    let by = caller.known()?;
    by.may(Action::ValuesFix)?;
    let item = id::<ItemId>("id", &item)?;
    let why = body.why.trim();
    if why.is_empty() || why.chars().count() > WHY_LETTERS_MAX {
        let detail = format!("say why, in at most {WHY_LETTERS_MAX} letters");
        return Err(ApiError::invalid("why", detail));
    }
    let until = match body.until.as_deref() {
        None => Timestamp::from_millis(i64::MAX),
        Some(text) => moment::parse("until", text)?,
    };
    if until <= Timestamp::from(app.clock.wall()) {
        return Err(ApiError::invalid("until", "a lock has to end in the future"));
    }
    let class = app.identity.class_of(item).await?;
    let (name, kind) = kind_of(&app.catalog, &class, &attribute)?;
    let mut left = MEMBERS_MAX;
    let value = value_of(kind, &body.value, 0, &mut left)
        .ok_or_else(|| Unfit::WrongKind { attribute: attribute.clone(), kind: kind.name() })?;
    check(&attribute, kind, &value)?;
    let fixed = Fixed { value, until, why: why.to_owned() };
    let until = app.identity.lock(item, name, fixed, &by.name).await?;
    Ok(Json(LockedView { until: rfc3339(until) }))
}

/// Lets sources decide again about an attribute.
#[utoipa::path(delete, path = "/api/v1/items/{id}/locks/{attribute}", tag = "items",
    params(("id" = String, Path, description = "Id of the item"),
        ("attribute" = String, Path, description = "Name of the attribute")),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path((item, attribute)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let by = caller.known()?;
    by.may(Action::ValuesFix)?;
    let item = id::<ItemId>("id", &item)?;
    app.identity.unlock(item, attribute.into(), &by.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The value that a JSON value means where `kind` is declared; nothing when it means none.
fn value_of(kind: Kind, json: &AnyJson, depth: usize, left: &mut usize) -> Option<Value> {
    *left = left.checked_sub(1).filter(|_| depth <= DEPTH_MAX)?;
    match (kind, json) {
        (_, AnyJson::Null) => Some(Value::Absent),
        (Kind::Boolean, AnyJson::Bool(yes)) => Some(Value::Boolean(*yes)),
        (Kind::Count | Kind::Integer, AnyJson::Number(number)) => {
            number.as_i64().map(Value::Integer)
        }
        (Kind::Float, AnyJson::Number(number)) => number.as_f64().map(Value::Float),
        (Kind::Text, AnyJson::String(text)) => Some(Value::Text(text.clone())),
        (Kind::Time, AnyJson::String(text)) => moment::parse("value", text).ok().map(Value::Time),
        (Kind::TextList, AnyJson::Array(members)) => {
            let members = members.iter();
            let member = |member| value_of(Kind::Text, member, depth + 1, left);
            members.map(member).collect::<Option<_>>().map(Value::List)
        }
        (Kind::RecordList, AnyJson::Array(members)) => {
            let members = members.iter();
            let member = |member| value_of(Kind::Record, member, depth + 1, left);
            members.map(member).collect::<Option<_>>().map(Value::List)
        }
        (Kind::Record, AnyJson::Object(fields)) => {
            let field = |(name, value): (&String, &AnyJson)| {
                Some((name.clone(), value_of(form_of(value), value, depth + 1, left)?))
            };
            fields.iter().map(field).collect::<Option<BTreeMap<_, _>>>().map(Value::Record)
        }
        _ => None,
    }
}

/// The kind of a field of a record, which nobody declares.
fn form_of(json: &AnyJson) -> Kind {
    match json {
        AnyJson::Bool(_) => Kind::Boolean,
        AnyJson::Number(number) if number.is_i64() => Kind::Integer,
        AnyJson::Number(_) => Kind::Float,
        AnyJson::Array(members) if members.iter().all(AnyJson::is_object) => Kind::RecordList,
        AnyJson::Array(_) => Kind::TextList,
        AnyJson::Object(_) => Kind::Record,
        AnyJson::Null | AnyJson::String(_) => Kind::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(kind: Kind, json: &AnyJson) -> Option<Value> {
        let value = value_of(kind, json, 0, &mut MEMBERS_MAX.clone())?;
        value.fits(kind).then_some(value)
    }

    #[test]
    fn a_value_that_does_not_fit_its_attribute_is_none() {
        for (kind, json) in [
            (Kind::Count, json!(-1)),
            (Kind::Count, json!("4")),
            (Kind::Count, json!(u64::MAX)),
            (Kind::Integer, json!(1.5)),
            (Kind::Text, json!(["a"])),
            (Kind::Time, json!("yesterday")),
            (Kind::TextList, json!([1])),
            (Kind::TextList, json!([null])),
            (Kind::RecordList, json!([["a"]])),
            (Kind::Record, json!([])),
            (Kind::Boolean, json!("true")),
        ] {
            assert_eq!(read(kind, &json), None, "{kind:?} {json}");
        }
        let mut deep = json!({});
        for _ in 0..20 {
            deep = json!({ "in": deep });
        }
        assert_eq!(read(Kind::Record, &deep), None);
        let many: Vec<String> = vec![String::new(); MEMBERS_MAX + 1];
        assert_eq!(read(Kind::TextList, &json!(many)), None);
    }

    #[test]
    fn a_value_is_written_as_items_show_it() {
        for (kind, json) in [
            (Kind::Text, json!("a")),
            (Kind::Text, json!(null)),
            (Kind::Count, json!(4)),
            (Kind::Float, json!(1.5)),
            (Kind::Time, json!("2023-11-14T22:13:20.007Z")),
            (Kind::TextList, json!(["a", "b"])),
            (Kind::Record, json!({"a": 1, "b": ["c"], "d": {"e": true}})),
            (Kind::RecordList, json!([{"a": 1.5}, {"b": null}])),
        ] {
            assert_eq!(json_of(&read(kind, &json).unwrap()), json, "{kind:?}");
        }
    }
}
