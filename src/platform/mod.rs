//! Acts on the box and knows what it is: reboot, factory reset, reload of services, the
//! device's identity, whether this start is a boot, addresses of its interfaces; which rights
//! the process keeps.
//!
//! Runs only what the configuration names; below another root than `/` there is no
//! default command at all.

pub mod actions;
pub mod boot;
pub mod identity;
pub mod interfaces;
pub mod privileges;
mod sys;

pub use actions::{ActionError, Actions, Platform};
pub use identity::Identity;
