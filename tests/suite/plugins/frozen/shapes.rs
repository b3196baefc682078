//! An interface as the component model compares it: what each type and each function is, without its documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wit_parser::{Function, Handle, Resolve, Type, TypeDef, TypeDefKind, TypeOwner, WorldItem};

/// The interfaces of a package.
pub(super) struct Shapes {
    /// What each interface has, by name: `type entry`, `function get`; and what that is, as text.
    pub(super) interfaces: BTreeMap<String, BTreeMap<String, String>>,
    /// Those that plugins export.
    pub(super) exported: BTreeSet<String>,
    pub(super) version: String,
}

impl Shapes {
    /// Reads a folder of `.wit` files.
    pub(super) fn of(folder: &Path) -> Self {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(folder).unwrap();
        let package = &resolve.packages[package];
        let interfaces = package.interfaces.iter().map(|(name, id)| {
            let interface = &resolve.interfaces[*id];
            let types = interface.types.iter();
            let types = types.map(|(name, id)| (format!("type {name}"), definition(&resolve, &resolve.types[*id])));
            let functions = interface.functions.iter();
            let functions = functions.map(|(name, it)| (format!("function {name}"), function(&resolve, it)));
            (name.clone(), types.chain(functions).collect())
        });
        let worlds = package
            .worlds
            .values()
            .flat_map(|id| resolve.worlds[*id].exports.values());
        let exported = worlds.filter_map(|item| match item {
            WorldItem::Interface { id, .. } => resolve.interfaces[*id].name.clone(),
            _ => None,
        });
        Self {
            interfaces: interfaces.collect(),
            exported: exported.collect(),
            version: package.name.version.as_ref().unwrap().to_string(),
        }
    }
}

fn function(resolve: &Resolve, function: &Function) -> String {
    let parameters = function.params.iter();
    let parameters = parameters.map(|it| format!("{}: {}", it.name, reference(resolve, it.ty)));
    let parameters = parameters.collect::<Vec<_>>().join(", ");
    let kind = if function.kind.is_async() { "async func" } else { "func" };
    match function.result {
        Some(result) => format!("{kind}({parameters}) -> {}", reference(resolve, result)),
        None => format!("{kind}({parameters})"),
    }
}

/// A type that is only named is what it names; any other is said where it is defined.
fn reference(resolve: &Resolve, of: Type) -> String {
    let Type::Id(id) = of else {
        return format!("{of:?}").to_lowercase();
    };
    let definition = &resolve.types[id];
    match (&definition.name, definition.owner) {
        (Some(name), TypeOwner::Interface(interface)) => {
            let interface = resolve.interfaces[interface].name.as_deref().unwrap_or_default();
            format!("{interface}.{name}")
        }
        _ => self::definition(resolve, definition),
    }
}

fn definition(resolve: &Resolve, definition: &TypeDef) -> String {
    let said = |of: Type| reference(resolve, of);
    let optional = |of: Option<Type>| of.map_or_else(|| "_".to_owned(), said);
    let listed = |items: Vec<String>| items.join(", ");
    match &definition.kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter().map(|it| format!("{}: {}", it.name, said(it.ty)));
            format!("record {{ {} }}", listed(fields.collect()))
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter();
            let cases = cases.map(|it| it.ty.map_or(it.name.clone(), |of| format!("{}({})", it.name, said(of))));
            format!("variant {{ {} }}", listed(cases.collect()))
        }
        TypeDefKind::Enum(it) => {
            format!(
                "enum {{ {} }}",
                listed(it.cases.iter().map(|case| case.name.clone()).collect())
            )
        }
        TypeDefKind::Flags(it) => {
            format!(
                "flags {{ {} }}",
                listed(it.flags.iter().map(|flag| flag.name.clone()).collect())
            )
        }
        TypeDefKind::Tuple(it) => format!("tuple<{}>", listed(it.types.iter().copied().map(said).collect())),
        TypeDefKind::Option(of) => format!("option<{}>", said(*of)),
        TypeDefKind::List(of) => format!("list<{}>", said(*of)),
        TypeDefKind::Result(it) => format!("result<{}, {}>", optional(it.ok), optional(it.err)),
        TypeDefKind::Type(of) => said(*of),
        TypeDefKind::Resource => "resource".to_owned(),
        TypeDefKind::Handle(Handle::Own(id)) => said(Type::Id(*id)),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", said(Type::Id(*id))),
        other => panic!(
            "`{}` is new in the interface: say here how it is compared",
            other.as_str()
        ),
    }
}
