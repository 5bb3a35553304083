//! What is typed to change a dial: its value, when it is to come, and why.

use crate::protocol::Dial;
use crate::run::RunState;
use crate::ui::command_line::parse::value_of;
use crate::ui::command_line::when::When;

#[derive(Clone, Debug, PartialEq)]
pub struct Editor {
    pub dial: Dial,
    pub text: String,
    pub when: String,
    pub note: String,
    pub field: Field,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Value,
    When,
    Note,
}

/// What is asked for with Enter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    pub value: f64,
    /// `None`: at the next step.
    pub when: Option<When>,
}

impl Editor {
    pub fn new(dial: Dial, text: String) -> Self {
        Self { dial, text, when: String::new(), note: String::new(), field: Field::Value }
    }

    /// What was typed, as a value, or why it is none.
    pub fn value(&self, state: &RunState) -> Result<f64, String> {
        value_of(self.dial, &self.text, state)
    }

    pub fn when(&self, state: &RunState) -> Result<Option<When>, String> {
        When::parse(&self.when.split_whitespace().collect::<Vec<_>>(), state)
    }

    pub fn wish(&self, state: &RunState) -> Result<Wish, String> {
        Ok(Wish { value: self.value(state)?, when: self.when(state)? })
    }
}
