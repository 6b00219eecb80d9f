//! The environment, read once.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::sys::host;

/// What the environment says. [`Env::read`] is the one place that reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Env {
    /// `$LAZARUS_PIT_CONFIG`.
    pub config: Option<PathBuf>,
    /// `$LAZARUS_PIT_STATE_DIR`.
    pub state_dir: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`.
    pub xdg_config_home: Option<PathBuf>,
    /// `$XDG_STATE_HOME`.
    pub xdg_state_home: Option<PathBuf>,
    /// `$HOME`, else what the user database says.
    pub home: Option<PathBuf>,
    /// Whether we run as root.
    pub is_root: bool,
}

impl Env {
    /// Reads the environment. An empty variable is as good as none.
    #[must_use]
    pub fn read() -> Self {
        let var = |name| {
            std::env::var_os(name)
                .filter(|value: &OsString| !value.is_empty())
                .map(PathBuf::from)
        };
        // By the XDG specification a relative path there is to be ignored.
        let xdg = |name| var(name).filter(|path| path.is_absolute());
        Self {
            config: var("LAZARUS_PIT_CONFIG"),
            state_dir: var("LAZARUS_PIT_STATE_DIR"),
            xdg_config_home: xdg("XDG_CONFIG_HOME"),
            xdg_state_home: xdg("XDG_STATE_HOME"),
            home: host::home(),
            is_root: host::is_root(),
        }
    }

    /// `$XDG_CONFIG_HOME`, else `~/.config`.
    pub(super) fn config_home(&self) -> Option<PathBuf> {
        let home = || self.home.as_ref().map(|home| home.join(".config"));
        self.xdg_config_home.clone().or_else(home)
    }

    /// `$XDG_STATE_HOME`, else `~/.local/state`.
    pub(super) fn state_home(&self) -> Option<PathBuf> {
        let home = || self.home.as_ref().map(|home| home.join(".local/state"));
        self.xdg_state_home.clone().or_else(home)
    }
}
