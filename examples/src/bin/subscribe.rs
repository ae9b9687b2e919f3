//! Prints the values of two topics as they come: `subscribe boiler.toml`.

use std::error::Error;

use sedge_client::{Credential, tokio::connect};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: subscribe CREDENTIAL")?;
    let mut client = connect(&Credential::read(file)?).await?;
    let temp = client.subscribe("site/7/temp").await?;
    client.subscribe("site/7/valve").await?;

    let mut buffer = [0; 1024];
    loop {
        match client.next(&mut buffer).await {
            Ok(value) if value.subscription == temp => println!("it is {}", text(value.payload)),
            Ok(value) => println!("the valve is {}", text(value.payload)),
            // The client connects and subscribes again by itself; this only says why it has to.
            Err(error) => eprintln!("{error}"),
        }
    }
}

fn text(payload: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(payload)
}
