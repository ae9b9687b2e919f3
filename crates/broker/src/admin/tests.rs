//! The same requests over each local way.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use sedge_access::{Grants, Permissions};
use sedge_crypto::{Crypto as _, PublicKey, RustCrypto, Secret};

use super::*;
use crate::Login;
use crate::config::Config;
use crate::state::State;
use crate::store::DataDir;

fn new_device(name: &str) -> AdminRequest {
    let grants = Grants::none().with("site/#".parse().unwrap(), Permissions::PUBLISH);
    AdminRequest::DeviceAdd(NewDevice { name: name.into(), grants, ..NewDevice::default() })
}

fn settings(name: &str) -> TopicSettings {
    TopicSettings { name: name.into(), ..TopicSettings::default() }
}

async fn refused(admin: &mut LocalAdmin, request: AdminRequest) -> Refusal {
    match admin.call(request).await.unwrap_err() {
        AdminError::Refused(refusal) => refusal,
        other => panic!("{other}"),
    }
}

/// What an administrator does in a day. Leaves device `left` and topic `site/left`.
async fn a_day(admin: &mut LocalAdmin) {
    let AdminReply::Enrolled(info, Some(key)) = admin.call(new_device("t1")).await.unwrap() else { panic!() };
    assert_eq!((info.name.as_str(), key.expose().len()), ("t1", 16));
    assert_eq!(info.login, Login::Psk(b"t1".to_vec()));
    assert_eq!(admin.call(AdminRequest::DeviceShow("t1".into())).await.unwrap(), AdminReply::Device(info));
    let again = refused(admin, new_device("t1")).await;
    assert!(again.reason == Reason::Exists && again.message.contains("sedge device remove t1"), "{again}");
    assert_eq!(refused(admin, new_device("no spaces")).await.reason, Reason::Invalid);

    the_other_ways_to_authenticate(admin).await;
    drop(admin.call(new_device("left")).await.unwrap());
    assert_eq!(admin.call(AdminRequest::DeviceRemove("t1".into())).await.unwrap(), AdminReply::Done);
    assert_eq!(refused(admin, AdminRequest::DeviceRemove("t1".into())).await.reason, Reason::NotFound);
    let AdminReply::Devices(page) = admin.call(AdminRequest::DeviceList(After::default())).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(page.entries.iter().map(|device| device.name.as_str()).collect::<Vec<_>>(), ["left"]);
    assert_eq!(page.next, None);

    let full = TopicSettings {
        content_format: Some(0),
        initialize: Some(b"21.5".to_vec()),
        max_subscribers: Some(3),
        durable: Some(true),
        ..settings("site/left")
    };
    let AdminReply::Topic(created) = admin.call(AdminRequest::TopicCreate(full.clone())).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(created.value.as_ref().unwrap().bytes, 4);
    assert_eq!((created.settings.max_subscribers, created.settings.durable), (Some(3), Some(true)));
    assert_eq!(refused(admin, AdminRequest::TopicCreate(full)).await.reason, Reason::Exists);
    assert_eq!(refused(admin, AdminRequest::TopicCreate(settings("a//b"))).await.reason, Reason::Invalid);
    drop(admin.call(AdminRequest::TopicCreate(settings("site/gone"))).await.unwrap());
    assert_eq!(admin.call(AdminRequest::TopicDelete("site/gone".into())).await.unwrap(), AdminReply::Done);
    assert_eq!(refused(admin, AdminRequest::TopicShow("site/gone".into())).await.reason, Reason::NotFound);

    let AdminReply::Status(status) = admin.call(AdminRequest::Status).await.unwrap() else { panic!() };
    assert_eq!((status.devices, status.topics), (1, 1));
}

/// Devices without a pre-shared key, which come and go.
async fn the_other_ways_to_authenticate(admin: &mut LocalAdmin) {
    let named = |name: &str| NewDevice { name: name.into(), ..NewDevice::default() };
    let key = RustCrypto.public_key(&RustCrypto.signing_key(&Secret::new([7; 32])).unwrap());
    let with_key = |name| NewDevice { public_key: Some(key), ..named(name) };
    let AdminReply::Enrolled(info, None) = admin.call(AdminRequest::DeviceAdd(with_key("k"))).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(info.login, Login::PublicKey(key));
    let twice = refused(admin, AdminRequest::DeviceAdd(with_key("other"))).await;
    assert!(twice.reason == Reason::Exists && twice.message.contains("public key"), "{twice}");
    let off_the_curve = PublicKey::new([4; 65]).unwrap();
    let wrong = NewDevice { public_key: Some(off_the_curve), ..named("w") };
    assert_eq!(refused(admin, AdminRequest::DeviceAdd(wrong)).await.reason, Reason::Invalid);

    let certified = |name| NewDevice { certificate_name: Some("00-11".into()), ..named(name) };
    let AdminReply::Enrolled(info, None) = admin.call(AdminRequest::DeviceAdd(certified("c"))).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(info.login, Login::Certificate("00-11".into()));
    let both = NewDevice { identity: Some(b"x".to_vec()), ..certified("b") };
    assert_eq!(refused(admin, AdminRequest::DeviceAdd(both)).await.reason, Reason::Invalid);
    for name in ["k", "c"] {
        assert_eq!(admin.call(AdminRequest::DeviceRemove(name.into())).await.unwrap(), AdminReply::Done);
    }
}

/// That the day's work is still there for the next caller.
async fn the_day_after(admin: &mut LocalAdmin) {
    drop(admin.call(AdminRequest::DeviceShow("left".into())).await.unwrap());
    let AdminReply::Topic(topic) = admin.call(AdminRequest::TopicShow("site/left".into())).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(topic.value.unwrap().bytes, 4);
}

async fn new_dir() -> (tempfile::TempDir, DataDir) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = DataDir::new(temporary.path().join("d"));
    dir.create().unwrap();
    drop(dir.try_lock().unwrap());
    (temporary, dir)
}

#[tokio::test]
async fn directly_on_the_store() {
    let (_temporary, dir) = new_dir().await;
    {
        let mut admin = connect_local(&dir).await.unwrap();
        assert!(!admin.is_running());
        a_day(&mut admin).await;
        assert_eq!(
            refused(&mut admin, AdminRequest::SessionList(After::default())).await.reason,
            Reason::NotRunning
        );
    }
    the_day_after(&mut connect_local(&dir).await.unwrap()).await;
}

#[tokio::test]
async fn through_the_socket_of_a_process_that_has_the_lock() {
    let (_temporary, dir) = new_dir().await;
    let lock = dir.try_lock().unwrap().unwrap();
    let state = Arc::new(State::open(&dir, &Config::default()).await.unwrap());
    // A socket that a dead process left behind is in the way of nobody.
    drop(listen(&dir.admin_socket()).unwrap());
    let connecting = tokio::spawn({
        let dir = dir.clone();
        // Begun before anyone listens: the broker is still starting.
        async move { connect_local(&dir).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let listener = listen(&dir.admin_socket()).unwrap();
    assert_eq!(dir.admin_socket().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let server = tokio::spawn(serve(listener, Arc::new(Service::new(state, None))));

    let mut admin = connecting.await.unwrap().unwrap();
    assert!(admin.is_running());
    a_day(&mut admin).await;
    the_day_after(&mut connect_local(&dir).await.unwrap()).await;

    server.abort();
    drop(server.await);
    assert!(matches!(admin.call(AdminRequest::Status).await, Err(AdminError::Disconnected)));
    drop(admin);
    drop(lock);
}

#[tokio::test]
async fn a_folder_without_a_broker_is_not_made_into_one() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = DataDir::new(temporary.path().join("none"));
    let Err(error) = connect_local(&dir).await else { panic!() };
    assert!(error.to_string().contains("sedge broker --data"), "{error}");
    assert!(!dir.path().exists());
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let (_temporary, dir) = new_dir().await;
    let mut admin = connect_local(&dir).await.unwrap();
    let long = "x".repeat(240);
    for number in 0..160 {
        drop(admin.call(AdminRequest::TopicCreate(settings(&format!("{long}/{number:03}")))).await.unwrap());
    }
    let (mut names, mut after, mut pages) = (Vec::new(), Some(After::default()), 0);
    while let Some(from) = after {
        let AdminReply::Topics(page) = admin.call(AdminRequest::TopicList(from)).await.unwrap() else {
            panic!()
        };
        names.extend(page.entries.into_iter().map(|topic| topic.settings.name));
        after = page.next;
        pages += 1;
    }
    assert!(pages > 1 && names.len() == 160 && names.is_sorted(), "{pages} pages, {} names", names.len());
}
