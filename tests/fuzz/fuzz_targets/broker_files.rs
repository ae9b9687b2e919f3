//! Any text as a configuration file and as a credential file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_broker::config::Config;
use sedge_client::Credential;

fuzz_target!(|text: &str| {
    if let Err(error) = Config::parse(text) {
        assert!(!error.to_string().is_empty());
    }
    match Credential::parse(text) {
        Ok(credential) => {
            let written = credential.to_toml();
            let again = Credential::parse(&written).expect("what was written can be read");
            assert_eq!(again.to_toml(), written);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
