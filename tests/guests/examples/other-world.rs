//! P17. A correct component of another world: it exports `acme:warehouse/robot@1.0.0` and nothing of ours. Expected: not
//! loaded, the error says what a plugin exports.

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package acme:warehouse@1.0.0;
            interface robot { move-to: func(shelf: u32) -> bool; }
            world guest { export robot; }
        ",
    });
}

struct Robot;

impl bindings::exports::acme::warehouse::robot::Guest for Robot {
    fn move_to(shelf: u32) -> bool {
        shelf < 7
    }
}

bindings::export!(Robot with_types_in bindings);
