//! What the ACS asks, answered: RPCs mapped onto the model and onto what the agent owes.
//!
//! Every method is answered here and nowhere else. Whatever a response promises is on
//! disk when this returns. Actions (reboot, reset, reloads) are only noted: they follow
//! the session.

mod transfers;

pub use transfers::Transfers;

use super::clock;
use super::modules::Registry;
use super::owed::{NotKept, Owed};
use super::planned_reboot::PlannedReboots;
use super::world::{World, lock};
use crate::cwmp::fault::{self, Fault};
use crate::cwmp::message::{
    AcsRequest, ApplyStatus, CpeResponse, Method, ParameterAttributes, SetValue, ValueType, XsdType,
};
use crate::cwmp::session::{Answer, Session};
use crate::cwmp::version::CwmpVersion;
use crate::model::{self, AttributeItem, Model, SetError, SetItem};
use std::collections::BTreeSet;
use std::sync::Mutex;

/// The methods this CPE offers: exactly these are listed and none of them answers 9000.
pub const METHODS: &[Method] = &[
    Method::GetRpcMethods,
    Method::SetParameterValues,
    Method::GetParameterValues,
    Method::GetParameterNames,
    Method::SetParameterAttributes,
    Method::GetParameterAttributes,
    Method::AddObject,
    Method::DeleteObject,
    Method::Reboot,
    Method::FactoryReset,
    Method::ScheduleInform,
    Method::Download,
    Method::Upload,
    Method::GetQueuedTransfers,
    Method::GetAllQueuedTransfers,
    Method::ScheduleDownload,
    Method::CancelTransfer,
    #[cfg(feature = "software-modules")]
    Method::ChangeDuState,
];

/// The package whose reload is the agent's own business.
pub(super) const OWN_PACKAGE: &str = "cwmp";

/// What a session's answers leave to be done once it has ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Afterwards {
    /// Packages to reload, each once.
    pub reload: BTreeSet<String>,
    /// The agent's own package was among them.
    pub settings: bool,
    /// Watched values may be others than they were.
    pub touched: bool,
    /// Reboots that were planned.
    pub planned: PlannedReboots,
    /// The ACS was reached: a POST was answered, with whatever status.
    pub reached: bool,
}

/// Where what an answer promises is kept.
pub struct Promises<'a> {
    pub owed: &'a Mutex<Owed>,
    pub transfers: Transfers<'a>,
    pub modules: &'a Mutex<Registry>,
}

impl Promises<'_> {
    /// The agent's own.
    pub fn of(world: &World) -> Promises<'_> {
        Promises {
            owed: &world.owed,
            transfers: Transfers {
                files: &world.files,
                largest: world.setup.config.limits.transfer_size,
                random: clock::random_u32,
            },
            modules: &world.modules.registry,
        }
    }
}

/// Answers one request. `now` is Unix time.
pub fn answer(
    session: &Session,
    model: &mut Model,
    promises: &Promises<'_>,
    request: AcsRequest,
    now: i64,
    afterwards: &mut Afterwards,
) -> Answer {
    let Promises {
        owed,
        transfers,
        modules,
    } = promises;
    if asks_model(&request) {
        model.begin();
    }
    let version = session.version();
    let response = match request {
        AcsRequest::GetRpcMethods => Ok(session.rpc_methods()),
        AcsRequest::GetParameterValues(paths) => return values(session, model, &paths),
        AcsRequest::SetParameterValues {
            list,
            parameter_key,
        } => set(model, &list, &parameter_key, afterwards),
        AcsRequest::GetParameterNames { path, next_level } => {
            return names(session, model, &path, next_level);
        }
        AcsRequest::GetParameterAttributes(paths) => {
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            model
                .attributes(&paths)
                .map(|list| {
                    let entry = |a: model::AttributeEntry| ParameterAttributes {
                        name: a.path,
                        notification: a.notification,
                        access_list: a.access,
                    };
                    CpeResponse::GetParameterAttributes(list.into_iter().map(entry).collect())
                })
                .map_err(whole)
        }
        AcsRequest::SetParameterAttributes(list) => {
            let items: Vec<AttributeItem> = list
                .into_iter()
                .map(|c| AttributeItem {
                    path: c.name,
                    notification: c.notification.map(i64::from),
                    access: c.access_list,
                })
                .collect();
            model
                .set_attributes(&items, version >= CwmpVersion::V1_4)
                .map(|()| CpeResponse::SetParameterAttributes)
                .map_err(whole)
        }
        AcsRequest::AddObject {
            object,
            parameter_key,
        } => model
            .add(&object, Some(&parameter_key))
            .map(|(instance, reload)| {
                afterwards.reload.extend(reload);
                CpeResponse::AddObject {
                    instance,
                    // A new row does nothing before it is enabled: there is nothing left
                    // to apply.
                    status: ApplyStatus::Applied,
                }
            })
            .map_err(whole),
        AcsRequest::DeleteObject {
            object,
            parameter_key,
        } => model
            .delete(&object, Some(&parameter_key))
            .map(|reload| {
                let status = status(&reload);
                afterwards.reload.extend(reload);
                CpeResponse::DeleteObject(status)
            })
            .map_err(whole),
        AcsRequest::Reboot { command_key } => {
            with(owed, |o| o.accept_reboot(&command_key)).map(|()| CpeResponse::Reboot)
        }
        AcsRequest::FactoryReset => {
            with(owed, Owed::accept_reset).map(|()| CpeResponse::FactoryReset)
        }
        AcsRequest::ScheduleInform {
            delay_seconds,
            command_key,
        } => schedule(owed, now, delay_seconds, &command_key),
        AcsRequest::Download(asked) => transfers.download(&asked, now),
        AcsRequest::Upload(asked) => transfers.upload(model, &asked, now),
        AcsRequest::ScheduleDownload(asked) => transfers.schedule(&asked, now),
        AcsRequest::CancelTransfer { command_key } => transfers.cancel(&command_key),
        AcsRequest::GetQueuedTransfers => Ok(transfers.requested()),
        AcsRequest::GetAllQueuedTransfers => Ok(transfers.all()),
        AcsRequest::ChangeDuState {
            operations,
            command_key,
        } => super::modules::change(modules, model, &operations, &command_key),
        // The session machine answers what METHODS does not hold before it comes here.
        other => Err(Fault::method_not_supported(other.name())),
    };
    match response {
        Ok(response) => Answer::Response(response),
        Err(fault) => Answer::Fault(fault),
    }
}

/// Whether the tree is looked at: what was read before is not good enough then.
fn asks_model(request: &AcsRequest) -> bool {
    !matches!(
        request,
        AcsRequest::GetRpcMethods
            | AcsRequest::Reboot { .. }
            | AcsRequest::FactoryReset
            | AcsRequest::ScheduleInform { .. }
            | AcsRequest::Download(_)
            | AcsRequest::ScheduleDownload(_)
            | AcsRequest::CancelTransfer { .. }
            | AcsRequest::GetQueuedTransfers
            | AcsRequest::GetAllQueuedTransfers
    )
}

fn whole(fault: model::Fault) -> Fault {
    Fault::new(fault.code, fault.text)
}

fn with(
    owed: &Mutex<Owed>,
    promise: impl FnOnce(&mut Owed) -> Result<(), NotKept>,
) -> Result<(), Fault> {
    promise(&mut lock(owed)).map_err(|e| match e {
        NotKept::Full => Fault::new(fault::RESOURCES_EXCEEDED, "too many of these wait already"),
        NotKept::Disk => Fault::new(fault::INTERNAL_ERROR, "the request cannot be stored"),
    })
}

fn schedule(
    owed: &Mutex<Owed>,
    now: i64,
    delay_seconds: u32,
    command_key: &str,
) -> Result<CpeResponse, Fault> {
    if delay_seconds == 0 {
        return Err(Fault::invalid_arguments(
            "DelaySeconds is 0; it must be greater",
        ));
    }
    with(owed, |o| o.schedule(now, delay_seconds, command_key))
        .map(|()| CpeResponse::ScheduleInform)
}

fn values(session: &Session, model: &mut Model, paths: &[String]) -> Answer {
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let mut writer = session.values_writer();
    let result = model.visit(&paths, &mut |entry| {
        writer
            .push_in(entry.object, entry.name, xsd_type(entry.ty), entry.value)
            .map_err(|e| too_large(e.cap))
    });
    match result {
        Ok(()) => Answer::Values(writer),
        Err(fault) => Answer::Fault(whole(fault)),
    }
}

fn names(session: &Session, model: &mut Model, path: &str, next_level: bool) -> Answer {
    let mut writer = session.names_writer();
    let result = model.visit_names(path, next_level, &mut |object, mut names| {
        names
            .try_for_each(|(name, writable)| writer.push(object, name, writable))
            .map_err(|e| too_large(e.cap))
    });
    match result {
        Ok(()) => Answer::Names(writer),
        Err(fault) => Answer::Fault(whole(fault)),
    }
}

fn too_large(cap: usize) -> model::Fault {
    model::Fault::new(
        fault::RESOURCES_EXCEEDED,
        format!("the answer is larger than {cap} bytes; ask for less"),
    )
}

fn set(
    model: &mut Model,
    list: &[SetValue],
    parameter_key: &str,
    afterwards: &mut Afterwards,
) -> Result<CpeResponse, Fault> {
    let items: Vec<SetItem<'_>> = list
        .iter()
        .map(|v| SetItem {
            path: &v.name,
            ty: match &v.ty {
                ValueType::Absent => None,
                ValueType::Known(ty) => Some(ty.name()),
                ValueType::Unknown(name) => Some(name),
            },
            value: &v.value,
        })
        .collect();
    match model.set(&items, Some(parameter_key)) {
        Ok(outcome) => {
            let status = status(&outcome.reload);
            afterwards.reload.extend(outcome.reload);
            let planned = &mut afterwards.planned;
            planned.set(items.iter().map(|item| item.path), clock::unix_seconds());
            Ok(CpeResponse::SetParameterValues(status))
        }
        Err(SetError::Whole(fault)) => Err(whole(fault)),
        Err(SetError::Parameters(faults)) => {
            let parameter = |f: model::ParameterFault| fault::ParameterFault {
                name: f.path,
                code: f.code,
                text: f.text,
            };
            Err(Fault::set_parameter_values(
                faults.into_iter().map(parameter).collect(),
            ))
        }
    }
}

/// 1 while a service still has to take the change over, after the session.
fn status(reload: &[String]) -> ApplyStatus {
    if reload.iter().all(|p| p == OWN_PACKAGE) {
        ApplyStatus::Applied
    } else {
        ApplyStatus::Committed
    }
}

/// The protocol's name of a model type. (The two rooms do not know each other.)
pub fn xsd_type(ty: model::ValueType) -> XsdType {
    match ty {
        model::ValueType::String => XsdType::String,
        model::ValueType::Int => XsdType::Int,
        model::ValueType::UnsignedInt => XsdType::UnsignedInt,
        model::ValueType::Long => XsdType::Long,
        model::ValueType::UnsignedLong => XsdType::UnsignedLong,
        model::ValueType::Boolean => XsdType::Boolean,
        model::ValueType::DateTime => XsdType::DateTime,
        model::ValueType::Base64 => XsdType::Base64,
        model::ValueType::HexBinary => XsdType::HexBinary,
        model::ValueType::Decimal => XsdType::Decimal,
    }
}
