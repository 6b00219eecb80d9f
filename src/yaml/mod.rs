//! YAML with places: what an operator wrote, read so that every mistake in it is told at once, each
//! with its file, line and column.
//!
//! ```text
//! text ──▶ load::load ──▶ Nodes with places ──▶ de::read ──▶ serde shapes, Spanned<T>
//!              │                                   │                 │ the caller's own checks
//!              └────────────▶ Problems ◀───────────┴─────────────────┘
//! ```
//!
//! Every size is bounded before anything is built: bytes, depth, nodes, and text after aliases.

mod access;
pub mod de;
mod error;
mod excerpt;
pub mod load;
pub mod node;
pub mod problem;
pub mod scalar;
pub mod sealed;
pub mod spanned;
pub mod units;

pub use de::{read, read_discreetly};
pub(crate) use error::did_you_mean;
pub use load::{document, load, text};
pub use node::{MAX_FILE, Node};
pub use problem::{Place, Problem, Problems, Severity};
pub use sealed::{Hidden, Sealed, SecretPlace};
pub use spanned::{Many, Pairs, Secret, Spanned};

#[cfg(test)]
mod tests;
