//! Whether a form has the shape that it must have: every field that has not, by name.

use serde_json::Value;
use toml::de::{DeTable, DeValue};
use tutti_core::fields::FieldError;

/// What stands in a form, and in which line, where that is known.
pub(super) struct Found {
    line: Option<usize>,
    what: What,
}

enum What {
    Text(String),
    Flag(bool),
    /// `None` where it is no whole number, or far too large.
    Number(Option<u32>),
    List(Vec<Found>),
    Table(Vec<(Option<usize>, String, Found)>),
    Nothing,
}

/// The line, and what is wrong there, without what is quoted of the file.
type Unreadable = (usize, String);

/// Reads TOML.
pub(super) fn toml(text: &str) -> Result<Found, Unreadable> {
    let line = |at: usize| text.get(..at).unwrap_or_default().matches('\n').count() + 1;
    match DeTable::parse(text) {
        Ok(table) => Ok(Found { line: None, what: of_table(table.get_ref(), &line) }),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            Err((line(at), without_values(error.message())))
        }
    }
}

fn of_table(table: &DeTable, line: &dyn Fn(usize) -> usize) -> What {
    let entries = table.iter().map(|(key, value)| {
        let at = line(key.span().start);
        (Some(at), key.get_ref().to_string(), of_toml(value.get_ref(), value.span().start, line))
    });
    What::Table(entries.collect())
}

fn of_toml(value: &DeValue, at: usize, line: &dyn Fn(usize) -> usize) -> Found {
    let what = match value {
        DeValue::String(text) => What::Text(text.to_string()),
        // A day may stand with quotes or without.
        DeValue::Datetime(day) => What::Text(day.to_string()),
        DeValue::Boolean(flag) => What::Flag(*flag),
        DeValue::Integer(number) => {
            What::Number(u32::from_str_radix(number.as_str(), number.radix()).ok())
        }
        DeValue::Float(_) => What::Number(None),
        DeValue::Array(items) => {
            let item =
                |item: &toml::Spanned<DeValue>| of_toml(item.get_ref(), item.span().start, line);
            What::List(items.iter().map(item).collect())
        }
        DeValue::Table(table) => of_table(table, line),
    };
    Found { line: Some(line(at)), what }
}

/// Reads JSON.
pub(super) fn json(text: &str) -> Result<Found, Unreadable> {
    serde_json::from_str(text).map(of_json).map_err(|error| {
        let said = error.to_string();
        let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
        (error.line(), without_values(said))
    })
}

fn of_json(value: Value) -> Found {
    let what = match value {
        Value::String(text) => What::Text(text),
        Value::Bool(flag) => What::Flag(flag),
        Value::Number(number) => {
            What::Number(number.as_u64().and_then(|number| number.try_into().ok()))
        }
        Value::Array(items) => What::List(items.into_iter().map(of_json).collect()),
        Value::Object(fields) => What::Table(
            fields.into_iter().map(|(key, value)| (None, key, of_json(value))).collect(),
        ),
        Value::Null => What::Nothing,
    };
    Found { line: None, what }
}

/// A parser's sentence without what it quotes of the file. It quotes what it found before it says
/// what it expected, and nothing else.
fn without_values(said: &str) -> String {
    let quotes = ["invalid type", "invalid value", "invalid length", "unknown"];
    match said.rsplit_once("expected ") {
        Some((found, expected)) if quotes.iter().any(|word| found.starts_with(word)) => {
            format!("something else stands there than is expected: {expected}")
        }
        None if quotes.iter().any(|word| said.starts_with(word)) => {
            "something stands there that is not expected".to_owned()
        }
        _ => said.trim_end().to_owned(),
    }
}

/// What of `found` has the kind that `shape` shows; the rest is named in `wrong`.
pub(super) fn fit(
    shape: &Value,
    found: Found,
    path: &str,
    wrong: &mut Vec<FieldError>,
) -> Option<Value> {
    let Found { line, what } = found;
    let mut say = |problem: String| {
        let line = line.map(|line| format!(" (line {line})")).unwrap_or_default();
        wrong.push(error(path, format!("{problem}{line}")));
        None
    };
    match (shape, what) {
        (_, What::Nothing) => None,
        (Value::String(_), What::Text(text)) => Some(Value::String(text)),
        (Value::Bool(_), What::Flag(flag)) => Some(Value::Bool(flag)),
        (Value::Number(_), What::Number(Some(number))) => Some(number.into()),
        (Value::Number(_), What::Number(None)) => {
            say("is no whole number that may stand there".into())
        }
        (Value::Array(of), What::List(items)) => {
            let text = Value::String(String::new());
            let of = of.first().unwrap_or(&text);
            let fits = |item: &Found| kind(of) == kind_of(&item.what);
            if let Some(item) = items.iter().find(|item| !fits(item)) {
                let line = item.line.map(|line| format!(" (line {line})")).unwrap_or_default();
                let (is, expected) = (name_of(&item.what), name(of));
                wrong.push(error(path, format!("holds {is}; {expected} is expected{line}")));
                return None;
            }
            let items = items.into_iter().filter_map(|item| fit(of, item, path, wrong));
            Some(Value::Array(items.collect()))
        }
        (Value::Object(fields), What::Table(entries)) => {
            let mut fitting = serde_json::Map::new();
            for (line, key, value) in entries {
                let Some(shape) = fields.get(&key) else {
                    wrong.push(unknown(path, line));
                    continue;
                };
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if let Some(value) = fit(shape, value, &path, wrong) {
                    fitting.insert(key, value);
                }
            }
            Some(Value::Object(fitting))
        }
        (Value::Array(_), what) => {
            say(format!("is {}; a list is expected, such as [\"…\"]", name_of(&what)))
        }
        (shape, what) => say(format!("is {}; {} is expected", name_of(&what), name(shape))),
    }
}

fn error(path: &str, problem: String) -> FieldError {
    let field = if path.is_empty() { "the form" } else { path };
    FieldError { field: field.into(), problem, allowed: Vec::new() }
}

/// A field that there is not; its name is somebody's word, too.
fn unknown(path: &str, line: Option<usize>) -> FieldError {
    match line {
        Some(line) => error(
            &format!("line {line}"),
            "is no field of the form, or stands under the wrong heading; `template` shows all"
                .into(),
        ),
        None => error(path, "holds what is no field of the form".into()),
    }
}

fn kind(shape: &Value) -> u8 {
    match shape {
        Value::Null | Value::String(_) => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
    }
}

fn kind_of(what: &What) -> u8 {
    match what {
        What::Text(_) | What::Nothing => 0,
        What::Flag(_) => 1,
        What::Number(_) => 2,
        What::List(_) => 3,
        What::Table(_) => 4,
    }
}

fn name(shape: &Value) -> &'static str {
    match shape {
        Value::Null | Value::String(_) => "a text in quotes",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a whole number",
        Value::Array(_) => "a list",
        Value::Object(_) => "a block of fields under its heading",
    }
}

fn name_of(what: &What) -> &'static str {
    match what {
        What::Text(_) => "a text",
        What::Flag(_) => "true or false",
        What::Number(_) => "a number",
        What::List(_) => "a list",
        What::Table(_) => "a block of fields",
        What::Nothing => "empty",
    }
}
