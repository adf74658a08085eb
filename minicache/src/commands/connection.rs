//! Stand-ins until the family is written.

use super::Call;
use crate::engine::error::{Answer, Error};

/// Stand-in.
pub fn auth(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn client_caching(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn client_getname(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn client_getredir(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn client_id(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn client_info(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn client_kill(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn client_list(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn client_no_evict(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn client_pause(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn client_reply(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn client_setinfo(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn client_setname(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn client_tracking(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn client_trackinginfo(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn client_unblock(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn client_unpause(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn echo(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn hello(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn ping(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn quit(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn reset(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn select(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}
