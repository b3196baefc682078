//! Types of the plugin interface as `guard.js` reads them: what a value must look like in JavaScript.

use serde_json::{Map, Value, json};
use wit_parser::{Resolve, Type, TypeDefKind};

/// What a function with this result returns, and what it may throw where that is a part of its type.
pub(super) fn of_result(types: &Resolve, result: Option<Type>) -> (Value, Option<Value>) {
    let any = || Value::from("any");
    let Some(result) = result else {
        return (any(), None);
    };
    if let Type::Id(id) = result
        && let Some(TypeDefKind::Result(parts)) = types.types.get(id).map(|found| &found.kind)
    {
        let part = |part: Option<Type>| part.map_or_else(any, |part| of(types, part));
        return (part(parts.ok), Some(part(parts.err)));
    }
    (of(types, result), None)
}

fn of(types: &Resolve, value: Type) -> Value {
    let id = match value {
        Type::Bool => return "truth".into(),
        Type::Char | Type::String => return "text".into(),
        Type::ErrorContext => return "any".into(),
        Type::Id(id) => id,
        _ => return "number".into(),
    };
    let Some(found) = types.types.get(id) else {
        return "any".into();
    };
    match &found.kind {
        TypeDefKind::Type(other) => of(types, *other),
        TypeDefKind::Option(inner) => json!(["option", of(types, *inner)]),
        TypeDefKind::List(Type::U8) => "bytes".into(),
        TypeDefKind::List(inner) => json!(["list", of(types, *inner)]),
        TypeDefKind::Tuple(tuple) => {
            let parts: Vec<_> = tuple.types.iter().map(|part| of(types, *part)).collect();
            json!(["tuple", parts])
        }
        TypeDefKind::Record(record) => {
            let fields = record
                .fields
                .iter()
                .map(|field| (camel(&field.name), of(types, field.ty)));
            json!(["record", fields.collect::<Map<_, _>>()])
        }
        TypeDefKind::Variant(variant) => {
            let part = |part: Option<Type>| part.map_or(Value::Null, |part| of(types, part));
            let cases = variant.cases.iter().map(|case| (case.name.clone(), part(case.ty)));
            json!(["variant", cases.collect::<Map<_, _>>()])
        }
        TypeDefKind::Enum(names) => {
            let names: Vec<_> = names.cases.iter().map(|case| case.name.as_str()).collect();
            json!(["enum", names])
        }
        TypeDefKind::Flags(_) | TypeDefKind::Handle(_) => "object".into(),
        _ => "any".into(),
    }
}

/// `request-transform` as JavaScript writes it: `requestTransform`.
pub(super) fn camel(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |all, word| all + &capital(word))
}

/// As a class: `RequestTransform`.
pub(super) fn pascal(name: &str) -> String {
    name.split('-').map(capital).collect()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
