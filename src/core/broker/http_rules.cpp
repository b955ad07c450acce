#include "core/broker/http_rules.h"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

#include "base/text.h"
#include "core/broker/broker_messages.h"
#include "formats/http/entity_tag.h"
#include "formats/http/proof_collection.h"

namespace mailhold::broker {
namespace {

namespace json = boost::json;

constexpr std::string_view batch_path = "/$batch";
// POST may stand for reading (a $batch, a search), so that templates must say which.
constexpr std::string_view reading[] = {"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "POST"};
constexpr std::string_view adding[] = {"PATCH", "MKCOL", "MKCALENDAR"};

constexpr std::string_view batch_fields[] = {"content-type", "prefer", "consistencylevel", "if-match"};

Error refused(const char* why) { return {ErrorKind::denied, why}; }

// One segment as the server will read it; nothing where it could be read in two ways.
std::optional<std::string> decoded_segment(std::string_view segment) {
  std::string text;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    char letter = segment[i];
    if (letter == '%') {
      const auto byte = i + 2 < segment.size() ? from_hex(segment.substr(i + 1, 2)) : std::nullopt;
      if (!byte || byte->size() != 1) return std::nullopt;
      letter = (*byte)[0];
      // An encoded separator, dot or percent sign: some servers decode twice, or before they cut.
      if (letter == '/' || letter == '\\' || letter == '%' || letter == '.') return std::nullopt;
      i += 2;
    } else if (letter == '\\' || letter == ';') {
      return std::nullopt;
    }
    if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f) return std::nullopt;
    text += letter;
  }
  if (text == "." || text == "..") return std::nullopt;
  return text;
}

// "/a/b" -> {"a", "b"}; an empty segment only at the end ("/a/").
std::optional<std::vector<std::string>> segments_of(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  std::vector<std::string> segments;
  const auto raw = split(path.substr(1), '/');
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i].empty() && i + 1 < raw.size()) return std::nullopt;
    auto segment = decoded_segment(raw[i]);
    if (!segment) return std::nullopt;
    segments.push_back(std::move(*segment));
  }
  return segments;
}

bool is_sound_query(std::string_view query) {
  return std::none_of(query.begin(), query.end(),
                      [](char letter) { return letter == '#' || letter == '\\' || letter <= 0x20 || letter >= 0x7f; });
}

// A proof finds its way by PROPFIND, which tells names and no contents. It makes and deletes proof collections, and puts into
// them and gets from them. No REPORT: its body may name items anywhere.
Status check_proof(std::string_view method, std::string_view target, std::string_view if_none_match) {
  if (method == "PROPFIND") return done();
  if (target.find('?') != std::string_view::npos) return refused("backup.prove asks for paths alone");
  auto segments = segments_of(target);
  const bool is_whole = segments && segments->size() > 1 && segments->back().empty();
  if (is_whole) segments->pop_back();
  if (method == "MKCALENDAR" || method == "MKCOL" || method == "DELETE") {
    const bool is_its_own = segments && !segments->empty() && http::is_proof_collection(segments->back());
    return is_its_own ? done() : Status(refused("backup.prove makes and deletes collections of its own alone"));
  }
  const bool is_item =
      segments && !is_whole && segments->size() > 1 && http::is_proof_collection((*segments)[segments->size() - 2]);
  if ((method != "PUT" && method != "GET") || !is_item)
    return refused("backup.prove writes and reads in collections of its own alone");
  if (method == "PUT" && trim(if_none_match) != "*")
    return refused("backup.prove writes over nothing: PUT needs If-None-Match: *");
  return done();
}

// "GET /a/b" -> method and segments; nothing where it is no template, which allows nothing.
std::optional<HttpTemplate> template_of(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos || space + 1 >= text.size() || text[space + 1] != '/') return std::nullopt;
  HttpTemplate made{std::string(text.substr(0, space)), {}};
  for (const auto segment : split(text.substr(space + 2), '/')) made.segments.emplace_back(segment);
  return made;
}

bool only_reads(const HttpTemplate& each) {
  if (each.method == "POST") return "/" + each.segments.back() == batch_path;  // its parts are judged one by one
  return std::find(std::begin(reading), std::end(reading), each.method) != std::end(reading);
}

// Whether every path that fits `narrow` fits `wide` as well, or lies in the same {mailbox}.
bool covers(const std::vector<std::string>& wide, const std::vector<std::string>& narrow) {
  for (std::size_t i = 0; i < wide.size(); ++i) {
    if (wide[i] == "**" && i + 1 == wide.size()) return true;
    if (i >= narrow.size() || (narrow[i] == "**" && i + 1 == narrow.size())) return false;
    if (wide[i] == "{mailbox}" && narrow[i] == "{mailbox}") return true;
    if (wide[i] != "*" && wide[i] != narrow[i]) return false;
  }
  return wide.size() == narrow.size();
}

}  // namespace

bool writes_where_it_reads(const std::vector<std::string>& reading_verbs, const std::vector<std::string>& writing_verbs) {
  return std::all_of(writing_verbs.begin(), writing_verbs.end(), [&](const std::string& text) {
    const auto writes = template_of(text);
    if (!writes || only_reads(*writes)) return true;
    return std::any_of(reading_verbs.begin(), reading_verbs.end(), [&](const std::string& each) {
      const auto reads = template_of(each);
      return reads && reads->method != "POST" && only_reads(*reads) && covers(reads->segments, writes->segments);
    });
  });
}

HttpRules::HttpRules(const std::vector<std::string>& templates, std::vector<std::string> mailboxes, std::string purpose)
    : mailboxes_(std::move(mailboxes)), purpose_(std::move(purpose)) {
  for (const std::string& text : templates) {
    if (auto made = template_of(text)) templates_.push_back(std::move(*made));
  }
}

Status HttpRules::check_purpose(std::string_view method, std::string_view target, std::string_view if_none_match,
                                std::string_view if_match) const {
  if (purpose_ == "backup.prove") return check_proof(method, target, if_none_match);
  const auto is_among = [&](const auto& methods) {
    return std::find(std::begin(methods), std::end(methods), method) != std::end(methods);
  };
  if (is_among(reading)) return done();
  const bool writes_over = purpose_ == overwrite_purpose;
  if (purpose_ != restore_purpose && !writes_over) return refused("a purpose that reads changes nothing at the server");
  if (is_among(adding)) return done();
  if (method != "PUT") return refused("restore.write adds; it never deletes, moves or copies");
  if (trim(if_none_match) == "*") return done();
  if (!writes_over) return refused("restore.write never writes over what is there: PUT needs If-None-Match: *");
  if (!if_none_match.empty() || !http::is_strong_tag(if_match))
    return refused(
        "restore.overwrite writes over no version but one that it names: PUT needs If-None-Match: * or If-Match of a tag");
  return done();
}

// The mailbox it reaches, or an empty text where there is none.
Result<std::string> HttpRules::check_path(std::string_view method, std::string_view target) const {
  const std::size_t question = target.find('?');
  const auto segments = segments_of(target.substr(0, question));
  if (!segments || (question != std::string_view::npos && !is_sound_query(target.substr(question + 1))))
    return refused("the path could be read in two ways");
  bool out_of_scope = false;
  for (const HttpTemplate& each : templates_) {
    if (each.method != method) continue;
    std::string mailbox;
    bool fits = true, has_rest = false;
    for (std::size_t i = 0; i < each.segments.size() && fits && !has_rest; ++i) {
      const std::string& wanted = each.segments[i];
      if (wanted == "**" && i + 1 == each.segments.size()) {
        has_rest = true;
      } else if (i >= segments->size()) {
        fits = false;
      } else if (wanted == "{mailbox}") {
        mailbox = to_lower((*segments)[i]);
        fits = !mailbox.empty();
      } else if (wanted != "*") {
        fits = wanted == (*segments)[i];
      } else {
        fits = !(*segments)[i].empty();
      }
    }
    if (!fits || (!has_rest && segments->size() != each.segments.size())) continue;
    const bool in_scope = mailbox.empty() || std::any_of(mailboxes_.begin(), mailboxes_.end(), [&](const std::string& known) {
                            return known == "*" || equals_ignoring_case(known, mailbox);
                          });
    if (in_scope) return mailbox;
    out_of_scope = true;
  }
  return out_of_scope ? refused("the mailbox is outside the scope of this connection")
                      : refused("this connection does not allow the request");
}

Result<AllowedRequest> HttpRules::check(std::string_view method, std::string_view target, std::string_view body,
                                        std::string_view if_none_match, std::string_view if_match) const {
  RETURN_IF_ERROR(check_purpose(method, target, if_none_match, if_match));
  ASSIGN_OR_RETURN(const std::string mailbox, check_path(method, target));
  const std::string_view path = target.substr(0, target.find('?'));
  if (path.ends_with(batch_path) || to_lower(path).find("batch") != std::string::npos) {
    if (method != "POST" || !path.ends_with(batch_path) || path != target) return refused("a batch that is none");
    return check_batch(path.substr(0, path.size() - batch_path.size()), body);
  }
  AllowedRequest allowed;
  if (!mailbox.empty()) allowed.mailboxes.push_back(mailbox);
  allowed.body = body;
  return allowed;
}

// Written again from what was read: a name that stands there twice cannot mean something else to the server.
Result<AllowedRequest> HttpRules::check_batch(std::string_view prefix, std::string_view body) const {
  boost::system::error_code error;
  const json::value parsed = json::parse({body.data(), body.size()}, error);
  const json::object* batch = error ? nullptr : parsed.if_object();
  const json::value* list = batch == nullptr ? nullptr : batch->if_contains("requests");
  if (list == nullptr || !list->is_array() || batch->size() != 1) return refused("a batch that cannot be read");
  const json::array& requests = list->as_array();
  if (requests.empty() || requests.size() > batch_parts_max) return refused("a batch of too many requests");
  AllowedRequest allowed;
  allowed.parts = requests.size();
  for (const json::value& value : requests) {
    const json::object* request = value.if_object();
    if (request == nullptr) return refused("a batch that cannot be read");
    for (const auto& [name, field] : *request) {
      if (name != "id" && name != "method" && name != "url" && name != "headers" && name != "body" && name != "dependsOn")
        return refused("a batch with a field that is not known");
    }
    const json::value* method = request->if_contains("method");
    const json::value* url = request->if_contains("url");
    if (method == nullptr || url == nullptr || !method->is_string() || !url->is_string() || !url->as_string().starts_with('/'))
      return refused("a batch that cannot be read");
    if (const json::value* headers = request->if_contains("headers")) {
      if (!headers->is_object()) return refused("a batch that cannot be read");
      for (const auto& [name, field] : headers->as_object()) {
        const std::string lower = to_lower(std::string_view(name.data(), name.size()));
        if (std::find(std::begin(batch_fields), std::end(batch_fields), lower) == std::end(batch_fields) || !field.is_string())
          return refused("a batch with a header that is not allowed");
      }
    }
    const std::string target = std::string(prefix) + std::string(url->as_string());
    if (to_lower(target).find("batch") != std::string::npos) return refused("a batch in a batch");
    RETURN_IF_ERROR(check_purpose(std::string_view(method->as_string()), target, {}, {}));
    ASSIGN_OR_RETURN(std::string mailbox, check_path(std::string_view(method->as_string()), target));
    if (!mailbox.empty()) allowed.mailboxes.push_back(std::move(mailbox));
  }
  allowed.body = json::serialize(parsed);
  return allowed;
}

}  // namespace mailhold::broker
