//! The environment of a program that is started: a clean one, in which nothing of our own stands
//! but what is named here.

use std::ffi::OsString;
use std::path::PathBuf;

use super::account::Account;
use super::program::PATH_OF_ROOT;

/// Where a user's programs are looked for if nobody says so.
const PATH_OF_USERS: &str = "/usr/local/bin:/usr/bin:/bin";

/// What may be taken over from the checker's own environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// `PATH`.
    pub path: Option<OsString>,
    /// `LANG`.
    pub lang: Option<OsString>,
    /// `TZ`.
    pub tz: Option<OsString>,
    /// `HOME`.
    pub home: Option<OsString>,
    /// Names of variables that hold secrets of ours: they are never taken over, whoever asks.
    pub secrets: Vec<String>,
}

impl Own {
    /// Reads the environment. An empty variable is as good as none.
    #[must_use]
    pub fn read() -> Self {
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            path: var("PATH"),
            lang: var("LANG"),
            tz: var("TZ"),
            home: var("HOME"),
            secrets: Vec::new(),
        }
    }
}

/// What every program is told that runs as this user: `PATH` is the first of it.
#[must_use]
pub fn base(account: &Account, own: &Own) -> Vec<(&'static str, OsString)> {
    let same = |value: &Option<OsString>| value.clone().filter(|_| account.is_own());
    let path = match account.uid {
        0 => PATH_OF_ROOT,
        _ => PATH_OF_USERS,
    };
    let home = account.home.clone().map(PathBuf::into_os_string);
    let home = home.or_else(|| same(&own.home));
    let shell = account.shell.clone().map(PathBuf::into_os_string);
    let mut all = vec![
        ("PATH", same(&own.path).unwrap_or_else(|| path.into())),
        ("HOME", home.unwrap_or_else(|| "/".into())),
        ("USER", account.name.clone().into()),
        ("LOGNAME", account.name.clone().into()),
        ("SHELL", shell.unwrap_or_else(|| "/bin/sh".into())),
        ("LANG", own.lang.clone().unwrap_or_else(|| "C.UTF-8".into())),
    ];
    all.extend(own.tz.clone().map(|tz| ("TZ", tz)));
    all
}
