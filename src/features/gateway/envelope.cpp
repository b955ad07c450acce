#include "features/gateway/envelope.h"

#include "base/bytes.h"

namespace mailhold::gateway {
namespace {

constexpr std::uint8_t format_version = 1;
constexpr std::size_t recipients_max = 1'000;
constexpr std::size_t reasons_max = 256;
constexpr std::size_t attachments_max = 1'024;
constexpr std::size_t spans_max = 4'096;
constexpr std::size_t text_bytes_max = 4'096;

class Writer {
 public:
  void text(std::string_view bytes) { out_.text(bytes.substr(0, text_bytes_max)); }
  template <class List, class WriteOne>
  void list(const List& items, std::size_t most, WriteOne write_one) {
    const std::size_t count = std::min(items.size(), most);
    out_.u32(static_cast<std::uint32_t>(count));
    for (std::size_t i = 0; i < count; ++i) write_one(items[i]);
  }
  ByteWriter& out() { return out_; }

 private:
  ByteWriter out_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : in_(bytes) {}
  std::string text() {
    const std::string_view bytes = in_.text();
    fine_ = fine_ && bytes.size() <= text_bytes_max;
    return std::string(bytes);
  }
  bool flag() {
    const std::uint8_t value = in_.u8();
    fine_ = fine_ && value <= 1;
    return value == 1;
  }
  template <class Item, class ReadOne>
  void list(std::vector<Item>& items, std::size_t item_bytes_min, std::size_t most, ReadOne read_one) {
    const std::uint32_t count = in_.count(item_bytes_min);
    if (count > most) fine_ = false;
    for (std::uint32_t i = 0; fine_ && in_.ok() && i < count; ++i) items.push_back(read_one());
  }
  void must(bool holds) { fine_ = fine_ && holds; }
  ByteReader& in() { return in_; }
  Status finish() const {
    RETURN_IF_ERROR(in_.finish());
    if (!fine_) return Error{ErrorKind::corrupt, "accepted message beyond its limits"};
    return done();
  }

 private:
  ByteReader in_;
  bool fine_ = true;
};

void write_arrival(Writer& writer, const AcceptedMessage& message) {
  writer.out().raw(message.message.bytes()).raw(message.tenant.bytes()).u64(static_cast<std::uint64_t>(message.accepted_at));
  for (const std::string* text : {&message.client_ip, &message.helo, &message.tls, &message.mail_from}) writer.text(*text);
  writer.list(message.rcpt_to, recipients_max, [&](const std::string& one) { writer.text(one); });
  writer.out().u8(message.eight_bit ? 1 : 0).u64(message.size);
}

void read_arrival(Reader& reader, AcceptedMessage& message) {
  message.message = Id::from_bytes(reader.in().raw(Id::size));
  message.tenant = Id::from_bytes(reader.in().raw(Id::size));
  message.accepted_at = static_cast<Milliseconds>(reader.in().u64());
  for (std::string* text : {&message.client_ip, &message.helo, &message.tls, &message.mail_from}) *text = reader.text();
  reader.list(message.rcpt_to, 4, recipients_max, [&] { return reader.text(); });
  reader.must(!message.rcpt_to.empty());
  message.eight_bit = reader.flag();
  message.size = reader.in().u64();
}

void write_verdict(Writer& writer, const AcceptedMessage& message) {
  writer.out().u8(static_cast<std::uint8_t>(message.disposition));
  writer.text(message.held_for);
  writer.text(message.reply);
  writer.list(message.reasons, reasons_max, [&](const ReasonLine& one) {
    writer.text(one.code);
    writer.text(one.text);
  });
}

void read_verdict(Reader& reader, AcceptedMessage& message) {
  const std::uint8_t disposition = reader.in().u8();
  reader.must(disposition <= static_cast<std::uint8_t>(Disposition::rejected));
  message.disposition = static_cast<Disposition>(disposition);
  message.held_for = reader.text();
  message.reply = reader.text();
  reader.list(message.reasons, 8, reasons_max, [&] {
    ReasonLine one;
    one.code = reader.text();
    one.text = reader.text();
    return one;
  });
}

void write_facts(Writer& writer, const AcceptedMessage& message) {
  writer.out().u8(message.scanned ? 1 : 0);
  for (const std::string* text : {&message.header_from, &message.subject, &message.message_id, &message.spf, &message.dkim,
                                  &message.dmarc, &message.virus}) {
    writer.text(*text);
  }
  writer.out().u32(message.links).u32(message.links_rewritten);
  writer.list(message.attachments, attachments_max, [&](const AttachmentFact& one) {
    writer.text(one.name);
    writer.text(one.type);
    writer.out().u64(one.size);
    writer.text(one.sha256);
  });
  writer.list(message.layout, spans_max,
              [&](const BodySpan& one) { writer.out().u64(one.offset).u64(one.length).u8(one.base64 ? 1 : 0); });
}

void read_facts(Reader& reader, AcceptedMessage& message) {
  message.scanned = reader.flag();
  for (std::string* text : {&message.header_from, &message.subject, &message.message_id, &message.spf, &message.dkim,
                            &message.dmarc, &message.virus}) {
    *text = reader.text();
  }
  message.links = reader.in().u32();
  message.links_rewritten = reader.in().u32();
  reader.list(message.attachments, 20, attachments_max, [&] {
    AttachmentFact one;
    one.name = reader.text();
    one.type = reader.text();
    one.size = reader.in().u64();
    one.sha256 = reader.text();
    return one;
  });
  std::uint64_t behind = 0;
  reader.list(message.layout, 17, spans_max, [&] {
    BodySpan one;
    one.offset = reader.in().u64();
    one.length = reader.in().u64();
    one.base64 = reader.flag();
    reader.must(one.offset >= behind && one.length <= UINT64_MAX - one.offset);
    behind = one.offset + one.length;
    return one;
  });
}

}  // namespace

std::string write_accepted(const AcceptedMessage& message) {
  Writer writer;
  writer.out().u8(format_version);
  write_arrival(writer, message);
  write_verdict(writer, message);
  write_facts(writer, message);
  return writer.out().take();
}

Result<AcceptedMessage> parse_accepted(std::string_view head) {
  Reader reader(head);
  if (reader.in().u8() != format_version) return Error{ErrorKind::corrupt, "accepted message of an unknown version"};
  AcceptedMessage message;
  read_arrival(reader, message);
  read_verdict(reader, message);
  read_facts(reader, message);
  RETURN_IF_ERROR(reader.finish());
  return message;
}

}  // namespace mailhold::gateway
