//! What administrators do with rights.

use std::collections::HashMap;
use std::sync::Arc;

use sedge_access::{Definition, Policy, Subject, Verb, name};
use sedge_time::Instant;

use super::service::{Service, no_device, store_failed};
use super::{
    AccessAnswer, AccessQuestion, AccessRule, AdminReply, DeviceInfo, DeviceRights, Reason, Refusal,
};
use crate::audit::Actor;
use crate::authority::News;
use crate::store::{Change, Device};

impl Service {
    pub(super) async fn device_set(&self, rights: DeviceRights, by: &Actor) -> Result<AdminReply, Refusal> {
        let state = self.state();
        // One after the other, so that neither of two administrators undoes what the other did.
        let _turn = self.turn().await;
        let old = state.directory.by_name(&rights.name).ok_or_else(|| no_device(&rights.name))?;
        if old.grants.is_administrator() {
            let message = "an administrator may do everything: remove it and add it anew to change that";
            return Err(Refusal::new(Reason::Invalid, message));
        }
        let device = Device {
            grants: rights.grants.unwrap_or_else(|| old.grants.clone()),
            roles: rights.roles.unwrap_or_else(|| old.roles.clone()),
            segment: match rights.segment {
                Some(segment) => Some(segment).filter(|segment| !segment.is_empty()),
                None => old.segment.clone(),
            },
            ..(*old).clone()
        };
        self.check_rights(&device)?;
        // First in the store: rights that are back after a restart were not taken.
        state.store.commit(Change::Device(device.clone())).await.map_err(|error| store_failed(&error))?;
        let principal = state.directory.replace(device.clone()).ok_or_else(|| no_device(&rights.name))?;
        if let Some(live) = self.live() {
            live.tell(News::Rights(principal));
        }
        state.audit.granted(by, &device);
        tracing::info!(device = device.name, "other rights");
        Ok(AdminReply::Device(DeviceInfo::of(&device)))
    }

    /// Refuses roles and segments that do not exist.
    pub(super) fn check_rights(&self, device: &Device) -> Result<(), Refusal> {
        let policy = self.state().policy();
        let missing = |what: &str, name: &str| {
            let message = format!(
                "there is no {what} `{name}`: add [{what}.{name}] to the broker's configuration, and then \
                 `sedge access reload` (`sedge access show` lists what there is)"
            );
            Err(Refusal::new(Reason::NotFound, message))
        };
        if let Some(role) = device.roles.iter().find(|role| !policy.has_role(role)) {
            return missing("role", role);
        }
        match device.segment.as_deref().filter(|segment| !policy.has_segment(segment)) {
            Some(segment) => missing("segment", segment),
            None => Ok(()),
        }
    }

    pub(super) fn access_explain(
        &self,
        questions: &[AccessQuestion],
        rules: Option<Definition>,
    ) -> Result<AdminReply, Refusal> {
        let policy = match rules {
            Some(definition) => Arc::new(
                Policy::new(definition).map_err(|error| Refusal::new(Reason::Invalid, error.to_string()))?,
            ),
            None => self.state().policy(),
        };
        let mut subjects: HashMap<&str, Option<Subject>> = HashMap::new();
        let answers = questions.iter().map(|AccessQuestion { device, verb, topic }| {
            let verb: Verb = verb.parse().map_err(|error: sedge_access::UnknownVerb| {
                Refusal::new(Reason::Invalid, format!("`{verb}`: {error}"))
            })?;
            let subject = subjects
                .entry(device)
                .or_insert_with(|| self.state().directory.by_name(device).map(|device| device.subject()));
            Ok(match subject {
                Some(subject) => AccessAnswer::of(&policy, subject, verb, topic),
                None => AccessAnswer::nobody(device),
            })
        });
        Ok(AdminReply::Access(answers.collect::<Result<_, Refusal>>()?))
    }

    pub(super) fn access_show(&self) -> AdminReply {
        AdminReply::AccessRules(self.state().policy().definition().clone())
    }

    pub(super) fn access_reload(&self, by: &Actor) -> Result<AdminReply, Refusal> {
        let Some(live) = self.live() else {
            let message = "no broker is running: one reads its configuration when it starts";
            return Err(Refusal::new(Reason::NotRunning, message));
        };
        live.reload(by).map_err(|message| Refusal::new(Reason::Invalid, message))?;
        Ok(self.access_show())
    }
}

impl AccessAnswer {
    fn of(policy: &Policy, subject: &Subject, verb: Verb, topic: &str) -> Self {
        // Devices' rights do not end by themselves.
        let decision = policy.decide(Instant::EPOCH, subject, verb, topic);
        let rules = decision.rules().into_iter().map(|rule| AccessRule {
            allows: rule.is_for(),
            kind: rule.kind().into(),
            text: rule.to_string(),
        });
        // What no topic can be called never gets as far as a decision.
        let named = name::check(topic).is_ok() || subject.is_administrator();
        Self {
            allowed: decision.is_allowed() && named,
            cause: decision
                .cause()
                .map_or((!named).then_some("not-a-topic"), |cause| Some(cause.as_str()))
                .map(Into::into),
            rules: rules.collect(),
        }
    }

    fn nobody(device: &str) -> Self {
        let text = format!("there is no device `{device}`; `sedge device list` shows all");
        let rule = AccessRule { allows: false, kind: "no-device".into(), text };
        Self { allowed: false, cause: Some("no-device".into()), rules: vec![rule] }
    }
}
