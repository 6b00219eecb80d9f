//! Revive plans: text to checked values, all problems at once, and which plan governs whom.
//!
//! ```text
//! YAML ──▶ raw (serde shapes) ──▶ check ──▶ Plan ──▶ cross (beside each other) ──▶ PlanSet
//!                                   │ every problem with its place
//! ```
//!
//! Nothing here reads a file, a clock or the environment: text and what is known of the
//! configuration are arguments.

mod bounds;
mod check;
mod cross;
pub mod glob;
mod index;
pub mod load;
mod out;
pub mod raw;
pub mod set;
pub mod show;
pub mod template;
pub mod types;
pub mod window;

pub(crate) use check::probes_of_gateway;
pub use load::{File, Known, load};
pub use set::{Mismatch, PlanSet, Who};
pub use show::show;
pub use template::{Context, Template};
pub use types::Plan;
pub use window::Window;

/// JSON Schema of a plan, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(raw::RawPlan).to_value()
}

#[cfg(test)]
mod tests;
