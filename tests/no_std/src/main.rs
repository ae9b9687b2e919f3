#![no_std]
#![no_main]
use core::panic::PanicInfo;
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! { loop {} }
#[unsafe(no_mangle)]
extern "C" fn start(bytes: *const u8, length: usize) -> usize {
    let bytes = unsafe { core::slice::from_raw_parts(bytes, length) };
    sedge_coap::Message::parse(bytes).map_or(0, |m| m.payload().len())
}
