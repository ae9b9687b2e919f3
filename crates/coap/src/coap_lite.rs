//! Conversions for those who use [coap-lite](https://docs.rs/coap-lite) beside this crate. They allocate,
//! because its `Packet` does.

use core::fmt;

use coap_lite::{MessageType, Packet};

use crate::{Code, Message, OptionNumber, ParseError, Token, Type, WriteError, Writer};

impl From<Message<'_>> for Packet {
    fn from(message: Message<'_>) -> Self {
        let mut packet = Self::new();
        packet.header.set_type(match message.kind() {
            Type::Con => MessageType::Confirmable,
            Type::Non => MessageType::NonConfirmable,
            Type::Ack => MessageType::Acknowledgement,
            Type::Rst => MessageType::Reset,
        });
        packet.header.code = message.code().0.into();
        packet.header.message_id = message.message_id();
        packet.set_token(message.token().as_bytes().into());
        for (number, value) in message.options() {
            packet.add_option(number.0.into(), value.into());
        }
        packet.payload = message.payload().into();
        packet
    }
}

/// Why a `Packet` makes no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketError {
    /// Its token has more than 8 bytes.
    Token,
    /// It does not fit the buffer.
    Write(WriteError),
    /// It is not what the RFC calls well-formed, such as a Reset with a payload.
    Malformed(ParseError),
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token => f.write_str("the token has more than 8 bytes"),
            Self::Write(error) => error.fmt(f),
            Self::Malformed(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for PacketError {}

/// Writes the packet into the buffer and views it there.
impl<'b> TryFrom<(&Packet, &'b mut [u8])> for Message<'b> {
    type Error = PacketError;

    fn try_from((packet, buffer): (&Packet, &'b mut [u8])) -> Result<Self, PacketError> {
        let kind = match packet.header.get_type() {
            MessageType::Confirmable => Type::Con,
            MessageType::NonConfirmable => Type::Non,
            MessageType::Acknowledgement => Type::Ack,
            MessageType::Reset => Type::Rst,
        };
        let token = Token::new(packet.get_token()).ok_or(PacketError::Token)?;
        let code = Code(packet.header.code.into());
        let mut writer = Writer::new(&mut *buffer, kind, code, packet.header.message_id, token);
        for (number, values) in packet.options() {
            for value in values {
                writer.option(OptionNumber(*number), value);
            }
        }
        writer.payload(&packet.payload);
        let len = writer.finish().map_err(PacketError::Write)?;
        Self::parse(buffer.get(..len).unwrap_or(&[])).map_err(PacketError::Malformed)
    }
}
