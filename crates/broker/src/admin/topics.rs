//! What administrators do with topics.

use sedge_authority::groups::{CreateError, GroupSettings, Groups};
use sedge_coap::ContentFormat;
use sedge_group::Cipher;
use sedge_group::keying::{COSE_ENCRYPT0, GroupPolicy};
use sedge_pubsub::{
    self as pubsub, CORE_PS_DATA, Configuration, Identity, Parameters, Topic, TopicOptions, UnixTime,
};
use tokio::sync::oneshot;

use super::service::{PageBuilder, Service, store_failed, unix_seconds};
use super::{AdminReply, After, Page, Protection, Reason, Refusal, TopicInfo, TopicSettings, ValueInfo};
use crate::audit::Actor;
use crate::authority::Lent;
use crate::store::{Change, Done, StoreError, Urgency};

impl Service {
    pub(super) async fn topic_create(
        &self,
        settings: &TopicSettings,
        by: &Actor,
    ) -> Result<AdminReply, Refusal> {
        let group =
            settings.protection.as_ref().map(|protection| self.group_settings(protection)).transpose()?;
        if !self.state().serves_topics {
            return self.group_create(settings, group.flatten(), by).await;
        }
        let content_format = match group {
            Some(_) => Some(ContentFormat(COSE_ENCRYPT0)),
            None => settings.content_format.map(ContentFormat),
        };
        let parameters = Parameters {
            name: Some(&settings.name),
            resource_type: Some(settings.resource_type.as_deref().unwrap_or(CORE_PS_DATA)),
            content_format,
            topic_type: settings.topic_type.as_deref(),
            expiration: settings.expiration.map(UnixTime),
            max_subscribers: settings.max_subscribers,
            observer_check: settings.observer_check,
            initialize: settings.initialize.as_deref(),
            ..Parameters::default()
        };
        let options = TopicOptions { durable: settings.durable, history: settings.history };
        let now = UnixTime(unix_seconds());
        let (kept, info) = {
            let refused = |refusal| refuse(&settings.name, refusal);
            let identity = Identity::from_parameters(&parameters).map_err(refused)?;
            let configuration = Configuration::default().updated(&parameters, now).map_err(refused)?;
            let mut topics = self.state().topics();
            let change = topics.create(identity, configuration, options, now).map_err(refused)?;
            let info = topics.get(change.topic).map(TopicInfo::of);
            (self.keep(change), info)
        };
        kept.outcome().await.map_err(|error| store_failed(&error))?;
        if let Some(Some(group)) = group {
            self.group_make(&settings.name, group).await?;
        }
        self.state().audit.administered(by, "the topic was created", &settings.name);
        info.map(AdminReply::Topic).ok_or_else(|| no_topic(&settings.name))
    }

    /// Sets up the group of a topic that others carry.
    async fn group_create(
        &self,
        settings: &TopicSettings,
        group: Option<GroupSettings>,
        by: &Actor,
    ) -> Result<AdminReply, Refusal> {
        let name = settings.name.as_str();
        let Some(group) = group else {
            let what = "there are no topics here: this is an authorisation server (with --protected it sets up who \
                        gets the keys of a topic, if [groups] enabled = true)";
            return Err(Refusal::new(Reason::Invalid, what));
        };
        let parameters =
            Parameters { name: Some(name), resource_type: Some(CORE_PS_DATA), ..Parameters::default() };
        let _a_topic_s_name =
            Identity::from_parameters(&parameters).map_err(|refusal| refuse(name, refusal))?;
        self.group_make(name, group).await?;
        self.state().audit.administered(by, "the group of a protected topic was created", name);
        let settings = TopicSettings { content_format: Some(COSE_ENCRYPT0), ..settings.clone() };
        Ok(AdminReply::Topic(TopicInfo { settings, subscribers: 0, value: None }))
    }

    /// A group that is there already stays as it is: its members have the keys.
    async fn group_make(&self, name: &str, group: GroupSettings) -> Result<(), Refusal> {
        let made = self
            .state()
            .with_groups(|groups, lent| groups.create(lent, name, group), &|news| self.tell(news))
            .await;
        if made.map_err(|error| store_failed(&error))? == Some(Err(CreateError::TooMany)) {
            let what = "as many protected topics as the configuration allows exist (groups.max)";
            return Err(Refusal::new(Reason::Limit, what));
        }
        Ok(())
    }

    pub(super) fn topic_list(&self, after: &After) -> Page<TopicInfo> {
        let mut page = PageBuilder::new();
        let topics = self.state().topics();
        for (_, topic) in topics.iter().skip_while(|(_, topic)| topic.identity().name.as_str() <= &*after.0) {
            if !page.push(topic.identity().name.as_str(), TopicInfo::of(topic)) {
                break;
            }
        }
        page.finish()
    }

    pub(super) fn topic_show(&self, name: &str) -> Result<AdminReply, Refusal> {
        let topics = self.state().topics();
        let (_, topic) = topics.find(name).ok_or_else(|| no_topic(name))?;
        Ok(AdminReply::Topic(TopicInfo::of(topic)))
    }

    pub(super) async fn topic_delete(&self, name: &str, by: &Actor) -> Result<AdminReply, Refusal> {
        let kept = {
            let mut topics = self.state().topics();
            let (id, _) = topics.find(name).ok_or_else(|| no_topic(name))?;
            let change = topics.remove(id).ok_or_else(|| no_topic(name))?;
            self.keep(change)
        };
        kept.outcome().await.map_err(|error| store_failed(&error))?;
        let ended =
            self.state().with_groups(|groups, lent| groups.delete(lent, name), &|news| self.tell(news)).await;
        let _was = ended.map_err(|error| store_failed(&error))?;
        self.state().audit.administered(by, "the topic was deleted", name);
        Ok(AdminReply::Done)
    }

    /// Sets a group up in another way; what is not said stays as it is.
    pub(super) async fn topic_protect(
        &self,
        name: &str,
        protection: &Protection,
        by: &Actor,
    ) -> Result<AdminReply, Refusal> {
        let Some(wanted) = self.group_settings(protection)? else {
            let what =
                "no group keys are given out here ([groups] enabled = false): say it where the keys are";
            return Err(Refusal::new(Reason::Invalid, what));
        };
        let configure = |groups: &mut Groups, lent: &mut Lent<'_>| {
            let Some(mut settings) = groups.settings_of(name) else { return false };
            if protection.cipher.is_some() {
                settings.cipher = wanted.cipher;
            }
            settings.policy.signed = protection.signed.unwrap_or(settings.policy.signed);
            settings.policy.content_format = protection.content_format.or(settings.policy.content_format);
            groups.configure(lent, name, settings)
        };
        let done = self.state().with_groups(configure, &|news| self.tell(news)).await;
        if done.map_err(|error| store_failed(&error))? != Some(true) {
            let what =
                format!("`{name}` is no protected topic: `sedge topic create {name} --protected` makes one");
            return Err(Refusal::new(Reason::NotFound, what));
        }
        self.state().audit.administered(by, "the protection of the topic was changed", name);
        Ok(AdminReply::Done)
    }

    /// How a protected topic's group is to be set up; `None` inside if its keys are given out elsewhere.
    fn group_settings(&self, protection: &Protection) -> Result<Option<GroupSettings>, Refusal> {
        let refused = |what: &str| Refusal::new(Reason::Invalid, what);
        let Some(defaults) = self.state().group_defaults() else {
            if *protection == Protection::default() {
                return Ok(None);
            }
            let what = "no group keys are given out here ([groups] enabled = false): how values are protected is set \
                        where the keys are; leave out the format, the cipher and whether publishers sign";
            return Err(refused(what));
        };
        let cipher = match protection.cipher {
            Some(number) => Cipher::from_cose(number).ok_or_else(|| refused("no such cipher for values"))?,
            None => defaults.cipher,
        };
        let policy = GroupPolicy {
            signed: protection.signed.unwrap_or(defaults.policy.signed),
            content_format: protection.content_format,
            ..defaults.policy
        };
        Ok(Some(GroupSettings { cipher, policy, ..defaults }))
    }

    /// Hands a change to the store, in the order of the changes because the topics are still locked, and to the
    /// shards.
    fn keep(&self, change: pubsub::Change) -> Kept {
        let (done, outcome) = oneshot::channel();
        let done: Done = Box::new(move |result| drop(done.send(result)));
        self.state().store.submit(Change::Topic(change.persist), Urgency::AtOnce, Some(done));
        if let Some(live) = self.live() {
            live.topic_changed(change.topic);
        }
        Kept(outcome)
    }
}

/// A change on its way to the disk.
struct Kept(oneshot::Receiver<Result<(), StoreError>>);

impl Kept {
    async fn outcome(self) -> Result<(), StoreError> {
        self.0.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl TopicInfo {
    fn of(topic: &Topic) -> Self {
        let (identity, configuration, options) = (topic.identity(), topic.configuration(), topic.options());
        let settings = TopicSettings {
            name: identity.name.as_str().into(),
            resource_type: Some(identity.resource_type().into()),
            content_format: configuration.content_format.map(|format| format.0),
            topic_type: configuration.topic_type.as_deref().map(Into::into),
            expiration: configuration.expiration.map(|time| time.0),
            max_subscribers: configuration.max_subscribers,
            observer_check: Some(configuration.observer_check),
            initialize: configuration.initialize.as_deref().map(Into::into),
            durable: options.durable,
            history: options.history,
            protection: (configuration.content_format == Some(ContentFormat(COSE_ENCRYPT0)))
                .then(Protection::default),
        };
        let value = topic.value().map(|value| ValueInfo {
            content_format: value.content_format.map(|format| format.0),
            bytes: u32::try_from(value.payload.len()).unwrap_or(u32::MAX),
            published: value.published.0.saturating_mul(1000),
        });
        Self { settings, subscribers: topic.subscribers(), value }
    }
}

fn no_topic(name: &str) -> Refusal {
    Refusal::new(Reason::NotFound, format!("there is no topic `{name}`; `sedge topic list` shows all"))
}

fn refuse(name: &str, refusal: pubsub::Refusal) -> Refusal {
    match refusal {
        pubsub::Refusal::NameInUse => {
            Refusal::new(Reason::Exists, format!("there is a topic `{name}` already"))
        }
        pubsub::Refusal::TooManyTopics => {
            Refusal::new(Reason::Limit, "as many topics as the configuration allows exist (topics.max)")
        }
        other => Refusal::new(Reason::Invalid, format!("topic `{name}`: {other}")),
    }
}
