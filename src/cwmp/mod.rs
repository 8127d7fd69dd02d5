//! The CPE side of CWMP (TR-069) as types and state machines.
//!
//! This room owns the messages, their SOAP form, fault codes, event codes and their
//! delivery rules, the session and the schedules. It is pure: it never opens a file or
//! a socket, never reads a clock, never draws a random number. Bytes, time and chance
//! are arguments; what to do next is the return value.
//!
//! | module | its one job |
//! |---|---|
//! | [`version`] | CWMP versions and the XML namespaces they speak |
//! | [`fault`] | fault codes of both sides, their texts and what each version knows |
//! | [`datetime`] | the `dateTime` of CWMP, with its unknown and since-boot forms |
//! | [`event`] | event codes, their rules as one table, and the queue of pending events |
//! | [`message`] | every RPC of CWMP 1.0 to 1.4 as a type |
//! | [`soap`] | reading what an ACS sends, writing what a CPE sends |
//! | [`session`] | one session as one state machine |
//! | [`schedule`] | periodic Inform, retry waits, ScheduleInform |
//! | [`fuzz`] | entry points for fuzz targets |

pub mod datetime;
pub mod event;
pub mod fault;
pub mod fuzz;
pub mod message;
pub mod schedule;
pub mod session;
pub mod soap;
pub mod version;
