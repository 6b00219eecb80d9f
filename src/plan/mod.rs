//! Revive plans: text to checked values, all problems at once, and which plan governs whom.
//!
//! ```text
//! YAML ──▶ raw (serde shapes) ──▶ check ──▶ Plan ──▶ PlanSet (order, index)
//!                                   │ every problem with its place
//! ```
//!
//! Nothing here reads a file, a clock or the environment: text and what is known of the
//! configuration are arguments.

pub mod set;
pub mod template;
pub mod types;
pub mod window;

pub use set::{Mismatch, PlanSet, Who};
pub use template::{Context, Template};
pub use types::Plan;
pub use window::Window;
