//! Users, as the user database has them.

use std::ffi::CString;
use std::path::PathBuf;

use nix::unistd::{Gid, Uid, User};

use super::host;

/// A user, with what a program that runs as it is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name; the number where the database has none.
    pub name: String,
    /// The user's number.
    pub uid: u32,
    /// The primary group's number.
    pub gid: u32,
    /// The home directory; `None` where the database does not know the user.
    pub home: Option<PathBuf>,
    /// The shell; `None` where the database names none.
    pub shell: Option<PathBuf>,
}

impl Account {
    /// The user that we run as.
    #[must_use]
    pub fn own() -> Self {
        let uid = nix::unistd::geteuid();
        match User::from_uid(uid) {
            Ok(Some(user)) => user.into(),
            // A number needs no entry: containers often have none.
            _ => Self::unlisted(uid.as_raw(), nix::unistd::getegid().as_raw()),
        }
    }

    /// A user by name or number.
    ///
    /// # Errors
    /// A sentence: no such user, or the user database could not be read.
    pub fn find(name: &str) -> Result<Self, String> {
        let (uid, gid) = host::find_user(name)?;
        match User::from_uid(Uid::from_raw(uid)) {
            // Several names may share a number: the one that was asked for counts.
            Ok(Some(user)) if user.name == name || name.parse() == Ok(uid) => Ok(user.into()),
            Ok(_) => match User::from_name(name) {
                Ok(Some(user)) => Ok(user.into()),
                _ => Ok(Self::unlisted(uid, gid)),
            },
            Err(e) => Err(format!("looking up the user `{name}`: {}", e.desc())),
        }
    }

    /// True for the user that we run as.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.uid == host::uid()
    }

    /// All its groups.
    ///
    /// # Errors
    /// A sentence: the group database could not be read.
    pub fn groups(&self) -> Result<Vec<u32>, String> {
        if self.home.is_none() {
            return Ok(vec![self.gid]);
        }
        let failed =
            |why: &str| format!("looking up the groups of the user `{}`: {why}", self.name);
        let name = CString::new(self.name.as_str()).map_err(|_| failed("it is no name"))?;
        let groups = nix::unistd::getgrouplist(&name, Gid::from_raw(self.gid));
        let groups = groups.map_err(|e| failed(e.desc()))?;
        Ok(groups.into_iter().map(Gid::as_raw).collect())
    }

    fn unlisted(uid: u32, gid: u32) -> Self {
        Self {
            name: uid.to_string(),
            uid,
            gid,
            home: None,
            shell: None,
        }
    }
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            home: Some(user.dir),
            shell: Some(user.shell).filter(|shell| !shell.as_os_str().is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_by_name_and_by_number() {
        let root = Account::find("root").unwrap();
        assert_eq!((root.uid, root.gid, root.name.as_str()), (0, 0, "root"));
        assert_eq!(Account::find("0").unwrap(), root);
        assert!(root.groups().unwrap().contains(&0));
        let nobody_there = Account::find("3999999999").unwrap();
        assert_eq!(nobody_there.groups().unwrap(), [3_999_999_999]);
        assert!(Account::find("no such user").is_err());
        assert!(Account::own().is_own());
    }
}
