//! The one place that prints: data to standard output, notes to standard error.
#![expect(clippy::print_stdout, reason = "printing is what this module is for")]

use crate::arguments::Format;
use crate::error::Error;
use crate::table;
use serde_json::Value;
use std::io::Write;

/// A list to be printed: the API's objects, and the columns that a person reads.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The objects, unchanged.
    pub(crate) objects: Vec<Value>,
    /// Headings of the columns.
    pub(crate) headings: Vec<String>,
    /// The cells, a row an object.
    pub(crate) rows: Vec<Vec<String>>,
}

/// Says something to a person, on standard error.
pub(crate) fn note(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Prints text that is made here, not data of a device.
pub(crate) fn text(text: &str) {
    print!("{text}");
}

/// Prints a list in the wanted form.
pub(crate) fn listing(format: Format, listing: &Listing) -> Result<(), Error> {
    match format {
        Format::Table if listing.rows.is_empty() => note("nothing found"),
        Format::Table => print!("{}", table::rendered(&listing.headings, &listing.rows)),
        Format::Csv => print!("{}", as_csv(listing)?),
        Format::Json | Format::Yaml => object(format, &Value::Array(listing.objects.clone()))?,
    }
    Ok(())
}

/// Prints one object; people get YAML, which is the form of it that reads best.
pub(crate) fn object(format: Format, object: &Value) -> Result<(), Error> {
    let encode = |error: String| Error::Local {
        what: "encode the output".to_owned(),
        source: std::io::Error::other(error),
    };
    match format {
        Format::Json => println!(
            "{}",
            serde_json::to_string_pretty(object).map_err(|error| encode(error.to_string()))?
        ),
        Format::Yaml | Format::Table | Format::Csv => {
            print!(
                "{}",
                serde_yaml_ng::to_string(object).map_err(|error| encode(error.to_string()))?
            );
        }
    }
    Ok(())
}

fn as_csv(listing: &Listing) -> Result<String, Error> {
    let failed = |error: String| Error::Local {
        what: "encode the output".to_owned(),
        source: std::io::Error::other(error),
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&listing.headings).map_err(|error| failed(error.to_string()))?;
    for row in &listing.rows {
        writer
            .write_record(row.iter().map(|cell| harmless(cell)))
            .map_err(|error| failed(error.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| failed(error.to_string()))
}

/// A cell that a spreadsheet would take for a formula is marked as text (OWASP, CSV injection).
fn harmless(cell: &str) -> String {
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') if cell.parse::<f64>().is_err() => {
            format!("'{cell}")
        }
        _ => cell.to_owned(),
    }
}

/// One value as a cell.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| format!("{name}={}", cell(value)))
            .collect::<Vec<_>>()
            .join(" "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_of_a_device_stays_text_in_a_spreadsheet() {
        let listing = Listing {
            objects: Vec::new(),
            headings: vec!["name".into(), "n".into()],
            rows: vec![vec!["=HYPERLINK(\"x\")".into(), "-5".into()]],
        };
        assert_eq!(as_csv(&listing).unwrap(), "name,n\n\"'=HYPERLINK(\"\"x\"\")\",-5\n");
    }
}
