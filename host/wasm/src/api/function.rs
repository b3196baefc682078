//! A function that plugins export. What goes in and comes out of it is compared with the plugin interface once, when a
//! component is linked, and not again in each of its instances.

use std::marker::PhantomData;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, InstancePre, Lift, Lower, TypedFunc};

use super::exports::{Exports, PACKAGE, SERVED};
use crate::instance::Instance;
use crate::state::CallState;

/// Where it is in a component.
///
/// Arguments are written with `'static`; what is called may be given references of any lifetime.
pub(super) struct Function<In, Out> {
    index: ComponentExportIndex,
    types: PhantomData<(In, Out)>,
}

impl<In, Out> Function<In, Out>
where
    In: ComponentNamedList + Lower,
    Out: ComponentNamedList + Lift,
{
    /// Finds it in an interface and checks its type.
    pub(super) fn find(component: &InstancePre<CallState>, interface: &str, name: &str) -> wasmtime::Result<Self> {
        let compiled = component.component();
        let interface = format!("{PACKAGE}/{interface}@{SERVED}");
        let found = compiled
            .get_export_index(None, &interface)
            .and_then(|interface| compiled.get_export(Some(&interface), name));
        let Some((ComponentItem::ComponentFunc(function), index)) = found else {
            return Err(wasmtime::Error::msg(format!("`{interface}` has no function `{name}`")));
        };
        function
            .typecheck::<In, Out>(&component.instance_type())
            .map_err(|error| error.context(format!("`{name}` of `{interface}`")))?;
        Ok(Self {
            index,
            types: PhantomData,
        })
    }
}

impl Instance {
    /// A function of this instance.
    #[expect(unsafe_code, reason = "its type was checked when the component was linked")]
    pub(super) fn function<In, Out>(
        &mut self,
        of: impl FnOnce(&Exports) -> Option<&Function<In, Out>>,
    ) -> wasmtime::Result<TypedFunc<In, Out>>
    where
        In: ComponentNamedList + Lower,
        Out: ComponentNamedList + Lift,
    {
        let function = of(&self.exports).and_then(|function| self.raw.get_func(&mut self.store, function.index));
        let function = function.ok_or_else(|| wasmtime::Error::msg("the plugin has no such interface"))?;
        // SAFETY: only `Function::find` makes a `Function`, after it has found that the component's function of this index is
        // of these types, and an index leads to nothing in instances of any other component.
        Ok(unsafe { TypedFunc::new_unchecked(function) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{self, Concurrency};
    use wasmtime::component::{Component, Linker};

    fn component() -> InstancePre<CallState> {
        let text = r#"(component
            (core module $m (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))
            (core instance $i (instantiate $m))
            (func $double (param "number" u32) (result u32) (canon lift (core func $i "double")))
            (instance $numbers (export "double" (func $double)))
            (export "gatewright:plugin/numbers@0.1.7" (instance $numbers)))"#;
        let engine = engine::unpooled(Concurrency::Off).unwrap();
        let component = Component::from_binary(&engine, &wat::parse_str(text).unwrap()).unwrap();
        Linker::new(&engine).instantiate_pre(&component).unwrap()
    }

    fn refused<In, Out>(interface: &str, name: &str) -> String
    where
        In: ComponentNamedList + Lower,
        Out: ComponentNamedList + Lift,
    {
        let found = Function::<In, Out>::find(&component(), interface, name);
        format!("{:#}", found.err().unwrap())
    }

    #[test]
    fn a_function_is_found_in_any_patch_release_of_its_interface() {
        assert!(Function::<(u32,), (u32,)>::find(&component(), "numbers", "double").is_ok());
        let reason = "`gatewright:plugin/numbers@0.1.0` has no function `halve`";
        assert_eq!(refused::<(u32,), (u32,)>("numbers", "halve"), reason);
        assert!(refused::<(u32,), (u32,)>("letters", "double").contains("has no function"));
    }

    #[test]
    fn a_function_of_other_types_is_refused_when_it_is_found() {
        for reason in [
            refused::<(i32,), (u32,)>("numbers", "double"),
            refused::<(&str,), (u32,)>("numbers", "double"),
            refused::<(u32, u32), (u32,)>("numbers", "double"),
            refused::<(), (u32,)>("numbers", "double"),
            refused::<(u32,), (String,)>("numbers", "double"),
            refused::<(u32,), ()>("numbers", "double"),
        ] {
            assert!(
                reason.contains("`double` of `gatewright:plugin/numbers@0.1.0`"),
                "{reason}"
            );
            assert!(reason.contains("expected"), "{reason}");
        }
    }
}
