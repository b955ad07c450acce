#include "features/scanning/extract_messages.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/utf8.h"
#include "features/scanning/scan_messages.h"

namespace mailhold::scanning {
namespace {

constexpr auto kind = static_cast<std::uint8_t>(FrameKind::extract);
constexpr std::uint16_t version = 3;
constexpr std::uint64_t time_max = 3'600'000;
constexpr std::uint64_t year_10000 = 253'402'300'800'000;

Error malformed(const char* what) { return {ErrorKind::corrupt, std::string("extraction frame: ") + what}; }

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7F; }

bool is_clean(std::string_view text, std::size_t bytes_max) {
  return text.size() <= bytes_max && is_utf8(text) && std::none_of(text.begin(), text.end(), is_control);
}

}  // namespace

std::string encode_extract(const ExtractCall& call) {
  ByteWriter writer;
  writer.u8(kind).u16(version).raw(call.tenant.bytes()).u64(static_cast<std::uint64_t>(call.time_left.count()));
  return writer.u8(call.reads_documents ? 1 : 0).u8(static_cast<std::uint8_t>(call.form)).text(call.content).take();
}

Result<ExtractCall> parse_extract(std::string_view frame) {
  ByteReader reader(frame);
  if (reader.u8() != kind || reader.u16() != version) return malformed("unknown version");
  ExtractCall call;
  call.tenant = Id::from_bytes(reader.raw(Id::size));
  call.time_left = std::chrono::milliseconds(std::min<std::uint64_t>(reader.u64(), time_max));
  const std::uint8_t documents = reader.u8();
  call.reads_documents = documents == 1;
  const std::uint8_t form = reader.u8();
  call.form = static_cast<TextForm>(form);
  call.content = reader.text();
  RETURN_IF_ERROR(reader.finish());
  if (documents > 1) return malformed("a flag that is none");
  if (form < static_cast<std::uint8_t>(TextForm::message) || form > static_cast<std::uint8_t>(TextForm::vcard))
    return malformed("a form that is none");
  return call;
}

std::string encode_extracted(const ExtractedText& text) {
  ByteWriter writer;
  writer.u8(kind).u8(text.complete ? 1 : 0).u8(text.has_attachment ? 1 : 0).text(text.senders).text(text.recipients);
  writer.text(text.subject).text(text.body).text(text.attachment_names).text(text.attachment_text);
  return writer.u32(text.documents_read).u32(text.documents_unread).u64(static_cast<std::uint64_t>(text.date)).take();
}

Result<ExtractedText> parse_extracted(std::string_view frame) {
  ByteReader reader(frame);
  if (reader.u8() != kind) return malformed("unexpected kind");
  const std::uint8_t complete = reader.u8();
  const std::uint8_t attachment = reader.u8();
  if (complete > 1 || attachment > 1) return malformed("a flag that is none");
  ExtractedText text;
  text.complete = complete == 1;
  text.has_attachment = attachment == 1;
  for (auto [field, bytes_max] : {std::pair{&text.senders, extracted_header_bytes_max},
                                  {&text.recipients, extracted_header_bytes_max},
                                  {&text.subject, extracted_header_bytes_max},
                                  {&text.body, extracted_body_bytes_max},
                                  {&text.attachment_names, extracted_header_bytes_max},
                                  {&text.attachment_text, extracted_attachment_bytes_max}}) {
    const std::string_view read = reader.text();
    if (!is_clean(read, bytes_max)) return malformed("a text that is too long or none");
    *field = read;
  }
  text.documents_read = reader.u32();
  text.documents_unread = reader.u32();
  const std::uint64_t date = reader.u64();
  RETURN_IF_ERROR(reader.finish());
  if (date >= year_10000) return malformed("a date that is none");
  text.date = static_cast<Milliseconds>(date);
  if (std::max(text.documents_read, text.documents_unread) > extracted_documents_max) return malformed("too many documents");
  return text;
}

}  // namespace mailhold::scanning
