//! Publishes a temperature every ten seconds: `publish boiler.toml`.

use std::error::Error;
use std::time::Duration;

use sedge_client::{ContentFormat, Credential, tokio::connect};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: publish CREDENTIAL")?;
    let mut client = connect(&Credential::read(file)?).await?;
    loop {
        let value = format!("{:.1}", temperature());
        // Waits until the broker has the value, and connects again by itself if it must.
        match client.publish("site/7/temp", ContentFormat::TEXT, value.as_bytes()).await {
            Ok(()) => println!("published {value}"),
            Err(error) => eprintln!("not published: {error}"),
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
}

/// On a device, this reads a sensor.
fn temperature() -> f64 {
    let seconds = std::time::UNIX_EPOCH.elapsed().map_or(0.0, |since| since.as_secs_f64());
    21.0 + (seconds / 60.0).sin()
}
