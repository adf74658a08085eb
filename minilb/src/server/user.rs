//! `user`: the core threads give up root, the thread that binds sockets keeps it.
//!
//! ```text
//! user www-data;      control thread: root      binds port 80, also at a reload
//!                     core-0, core-1: www-data  talk to clients
//! ```
//!
//! It is NGINX's division between master and workers, but within one process, so it is weaker: the
//! threads share their memory. A bug in Rust code seldom lets a client execute code, and that is
//! what this relies on.
//!
//! Without root, `user` is ignored with a warning, as by NGINX. Counterpart:
//! `ngx_worker_process_init` and `ngx_set_user`.

use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::io;

/// A user and a group by number.
#[derive(Clone, Copy, Debug)]
pub struct User {
    uid: Uid,
    gid: Gid,
}

impl User {
    /// Looks both up. The group is that of the user if `group` is `None`. Returns `None` for the
    /// user if this process is not root.
    ///
    /// # Errors
    /// NGINX's message if one is unknown.
    pub fn find(name: &str, group: Option<&str>) -> Result<Option<User>, String> {
        if !rustix::process::geteuid().is_root() {
            tracing::warn!("the \"user\" directive makes sense only with root, ignored");
            return Ok(None);
        }
        let unknown = |call: &str, name: &str| format!("{call}(\"{name}\") failed");
        let uid = id("/etc/passwd", name).ok_or_else(|| unknown("getpwnam", name))?;
        let group = group.unwrap_or(name);
        let gid = id("/etc/group", group).ok_or_else(|| unknown("getgrnam", group))?;
        Ok(Some(User { uid: Uid::from_raw(uid), gid: Gid::from_raw(gid) }))
    }

    /// Makes the calling thread this user for good.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn enter(self) -> io::Result<()> {
        // Groups first: without root there is no changing them.
        set_thread_groups(&[self.gid])?;
        set_thread_res_gid(self.gid, self.gid, self.gid)?;
        set_thread_res_uid(self.uid, self.uid, self.uid)?;
        Ok(())
    }
}

/// The third field of the line that begins with `name:`.
fn id(file: &str, name: &str) -> Option<u32> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|it| it.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}
