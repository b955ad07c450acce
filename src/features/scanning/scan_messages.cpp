#include "features/scanning/scan_messages.h"

#include <algorithm>

#include "base/bytes.h"

namespace mailhold::scanning {
namespace {

constexpr std::uint16_t version = 1;
constexpr std::size_t questions_max = 64;
constexpr std::size_t urls_max = 2000;
constexpr std::size_t url_bytes_max = 64u << 10;
constexpr std::size_t urls_bytes_max = 16u << 20;
constexpr std::size_t rcpt_to_max = 10'000;
constexpr std::size_t domains_max = 10'000;
constexpr std::size_t differences_max = 16;
constexpr std::size_t property_name_bytes_max = 128;

ByteWriter begin(FrameKind kind) {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(kind));
  return writer;
}

Error out_of_bounds(const char* what) { return Error{ErrorKind::corrupt, std::string("scanning frame: ") + what}; }

Status take_kind(ByteReader& reader, FrameKind kind) {
  return reader.u8() == static_cast<std::uint8_t>(kind) ? done() : Status(out_of_bounds("unexpected kind"));
}

void write_texts(ByteWriter& writer, const std::vector<std::string>& texts) {
  writer.u32(static_cast<std::uint32_t>(texts.size()));
  for (const std::string& text : texts) writer.text(text);
}

std::vector<std::string> read_texts(ByteReader& reader) {
  std::vector<std::string> texts;
  const std::uint32_t count = reader.count(4);
  texts.reserve(count);
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) texts.emplace_back(reader.text());
  return texts;
}

}  // namespace

Result<FrameKind> kind_of(std::string_view frame) {
  if (frame.empty() || frame[0] < 1 || frame[0] > 7) return out_of_bounds("unknown kind");
  return static_cast<FrameKind>(frame[0]);
}

std::string encode_scan(const ScanCall& call) {
  const ScanRequest& request = call.request;
  const Limits& limits = call.limits;
  ByteWriter writer = begin(FrameKind::scan);
  writer.u16(version).raw(request.tenant.bytes()).text(request.client_ip).text(request.helo).text(request.mail_from);
  write_texts(writer, request.rcpt_to);
  writer.text(request.authserv_id).text(request.link_base);
  write_texts(writer, request.tenant_domains);
  writer.u8(request.rewrite_links ? 1 : 0).u8(request.ask_clamd ? 1 : 0).u64(static_cast<std::uint64_t>(request.received_at));
  for (const std::size_t limit : {limits.message_bytes_max, limits.parts_max, limits.depth_max, limits.headers_max,
                                  limits.links_max, limits.decoded_bytes_max, limits.replaced_bytes_max}) {
    writer.u64(limit);
  }
  writer.u64(static_cast<std::uint64_t>(call.time_left.count())).text(request.content);
  return writer.take();
}

Result<ScanCall> parse_scan(std::string_view frame) {
  ByteReader reader(frame);
  RETURN_IF_ERROR(take_kind(reader, FrameKind::scan));
  if (reader.u16() != version) return out_of_bounds("unknown version");
  ScanCall call;
  ScanRequest& request = call.request;
  request.tenant = Id::from_bytes(reader.raw(Id::size));
  request.client_ip = reader.text();
  request.helo = reader.text();
  request.mail_from = reader.text();
  request.rcpt_to = read_texts(reader);
  request.authserv_id = reader.text();
  request.link_base = reader.text();
  request.tenant_domains = read_texts(reader);
  request.rewrite_links = reader.u8() != 0;
  request.ask_clamd = reader.u8() != 0;
  request.received_at = static_cast<Milliseconds>(reader.u64());
  Limits& limits = call.limits;
  for (std::size_t* limit : {&limits.message_bytes_max, &limits.parts_max, &limits.depth_max, &limits.headers_max,
                             &limits.links_max, &limits.decoded_bytes_max, &limits.replaced_bytes_max}) {
    *limit = static_cast<std::size_t>(reader.u64());
  }
  call.time_left = std::chrono::milliseconds(std::min<std::uint64_t>(reader.u64(), 3'600'000));
  request.content = reader.text();
  RETURN_IF_ERROR(reader.finish());
  if (request.rcpt_to.size() > rcpt_to_max || request.tenant_domains.size() > domains_max) return out_of_bounds("too many names");
  return call;
}

std::string encode_questions(std::span<const dns::Question> questions) {
  ByteWriter writer = begin(FrameKind::dns);
  writer.u32(static_cast<std::uint32_t>(questions.size()));
  for (const dns::Question& question : questions) dns::write(writer, question);
  return writer.take();
}

Result<std::vector<dns::Question>> parse_questions(std::string_view frame) {
  ByteReader reader(frame);
  RETURN_IF_ERROR(take_kind(reader, FrameKind::dns));
  const std::uint32_t count = reader.count(2);
  if (count > questions_max) return out_of_bounds("too many questions");
  std::vector<dns::Question> questions;
  for (std::uint32_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(dns::Question question, dns::read_question(reader));
    questions.push_back(std::move(question));
  }
  RETURN_IF_ERROR(reader.finish());
  return questions;
}

std::string encode_answers(std::span<const dns::Answer> answers) {
  ByteWriter writer = begin(FrameKind::dns);
  writer.u32(static_cast<std::uint32_t>(answers.size()));
  for (const dns::Answer& answer : answers) dns::write(writer, answer);
  return writer.take();
}

Result<std::vector<dns::Answer>> parse_answers(std::string_view frame) {
  ByteReader reader(frame);
  RETURN_IF_ERROR(take_kind(reader, FrameKind::dns));
  const std::uint32_t count = reader.count(2);
  if (count > questions_max) return out_of_bounds("too many answers");
  std::vector<dns::Answer> answers;
  for (std::uint32_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(dns::Answer answer, dns::read_answer(reader));
    answers.push_back(std::move(answer));
  }
  RETURN_IF_ERROR(reader.finish());
  return answers;
}

std::string encode_urls(std::span<const std::string> urls) {
  ByteWriter writer = begin(FrameKind::wrap);
  writer.u32(static_cast<std::uint32_t>(urls.size()));
  for (const std::string& url : urls) writer.text(url);
  return writer.take();
}

Result<std::vector<std::string>> parse_urls(std::string_view frame) {
  if (frame.size() > urls_bytes_max) return out_of_bounds("URLs too long");
  ByteReader reader(frame);
  RETURN_IF_ERROR(take_kind(reader, FrameKind::wrap));
  std::vector<std::string> urls = read_texts(reader);
  RETURN_IF_ERROR(reader.finish());
  if (urls.size() > urls_max) return out_of_bounds("too many URLs");
  for (const std::string& url : urls) {
    if (url.size() > url_bytes_max) return out_of_bounds("URL too long");
  }
  return urls;
}

std::string encode_compare(const CompareRequest& request) {
  ByteWriter writer = begin(FrameKind::compare);
  writer.u16(version).raw(request.tenant.bytes()).u8(static_cast<std::uint8_t>(request.form));
  return writer.text(request.backed_up).text(request.there).take();
}

Result<CompareRequest> parse_compare(std::string_view frame) {
  ByteReader reader(frame);
  RETURN_IF_ERROR(take_kind(reader, FrameKind::compare));
  if (reader.u16() != version) return out_of_bounds("unknown version");
  CompareRequest request;
  request.tenant = Id::from_bytes(reader.raw(Id::size));
  request.form = static_cast<ComparedForm>(reader.u8());
  request.backed_up = reader.text();
  request.there = reader.text();
  RETURN_IF_ERROR(reader.finish());
  if (request.form != ComparedForm::icalendar && request.form != ComparedForm::vcard) return out_of_bounds("unknown form");
  if (std::max(request.backed_up.size(), request.there.size()) > compared_bytes_max) return out_of_bounds("content too long");
  return request;
}

std::string encode_comparison(const Comparison& comparison) {
  ByteWriter writer = begin(FrameKind::compare);
  writer.u8(comparison.is_readable ? 1 : 0).u8(comparison.is_equal ? 1 : 0);
  write_texts(writer, comparison.differences);
  return writer.take();
}

namespace {

// A name of properties, which may be shown and logged: nothing of the content but that.
bool is_property_name(std::string_view text) {
  return !text.empty() && text.size() <= property_name_bytes_max && std::all_of(text.begin(), text.end(), [](char letter) {
    return (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') ||
           letter == '-' || letter == '_' || letter == '.' || letter == '/';
  });
}

}  // namespace

Result<Comparison> parse_comparison(std::string_view frame) {
  ByteReader reader(frame);
  RETURN_IF_ERROR(take_kind(reader, FrameKind::compare));
  Comparison comparison;
  const std::uint8_t readable = reader.u8(), equal = reader.u8();
  comparison.is_readable = readable == 1;
  comparison.is_equal = equal == 1;
  comparison.differences = read_texts(reader);
  RETURN_IF_ERROR(reader.finish());
  if (readable > 1 || equal > 1 || comparison.differences.size() > differences_max ||
      !std::all_of(comparison.differences.begin(), comparison.differences.end(), is_property_name))
    return out_of_bounds("no comparison");
  if (comparison.is_equal && (!comparison.is_readable || !comparison.differences.empty())) return out_of_bounds("equal, and not");
  return comparison;
}

std::string encode_clamd(bool granted) { return begin(FrameKind::clamd).u8(granted ? 1 : 0).take(); }
std::string encode_program(bool granted) { return begin(FrameKind::program).u8(granted ? 1 : 0).take(); }

}  // namespace mailhold::scanning
