// The host-related cases of the URL test suite of the web platform and of UTS 46.
#include <boost/json/src.hpp>

#include <map>

#include "base/text.h"
#include "corpora.h"
#include "formats/url/host.h"
#include "formats/url/url.h"

namespace mailhold::url {
namespace {

namespace json = boost::json;

struct Count {
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::map<std::string, std::size_t> skipped;  // by reason

  void print(const char* name) const {
    std::printf("%s: %zu passed, %zu failed", name, passed, failed);
    for (const auto& [reason, cases] : skipped) std::printf(", %zu skipped (%s)", cases, reason.c_str());
    std::printf("\n");
  }
};

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

constexpr std::string_view lone_surrogate = "\xef\xa3\xbf";  // U+F8FF stands for one

// The collections write surrogates without a partner, which no JSON reader takes.
std::string with_marked_surrogates(std::string text) {
  const auto is_surrogate = [&text](std::size_t at, char first, char last) {
    return text.compare(at, 3, "\\ud") == 0 && text[at + 3] >= first && text[at + 3] <= last;
  };
  for (std::size_t at = text.find("\\u"); at != std::string::npos && at + 12 < text.size(); at = text.find("\\u", at + 2)) {
    for (std::size_t i = 2; i < 6; ++i) text[at + i] = static_cast<char>(std::tolower(text[at + i]));
    if (is_surrogate(at, '8', 'b')) {
      for (std::size_t i = 8; i < 12; ++i)
        text[at + i] = text[at + 6] == '\\' ? static_cast<char>(std::tolower(text[at + i])) : text[at + i];
      if (is_surrogate(at + 6, 'c', 'f')) {
        at += 6;
        continue;
      }
    }
    if (is_surrogate(at, '8', 'f')) text.replace(at, 6, "\\uf8ff");
  }
  return text;
}

json::array load(const std::filesystem::path& file) {
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  boost::system::error_code failed;
  json::value value = json::parse(with_marked_surrogates(read_whole_file(file)), failed, {}, options);
  EXPECT_FALSE(failed) << file;
  return value.is_array() ? value.get_array() : json::array();
}

bool has_lone_surrogate(std::string_view text) { return text.find(lone_surrogate) != std::string_view::npos; }

// Why a case of urltestdata.json is not ours; empty if it is.
std::string skip_reason(const json::object& c) {
  const std::string input = text_of(c, "input");
  const std::string base = text_of(c, "base");
  if (has_lone_surrogate(input)) return "lone surrogate cannot be written in UTF-8";
  const std::string protocol = text_of(c, "protocol");
  const bool has_scheme = starts_with_ignoring_case(trim(input), "http");
  const bool has_base = !base.empty() && !base.starts_with("about:");
  const bool has_authority = input.find("//") != std::string::npos || input.find("\\\\") != std::string::npos;
  if (!has_scheme && !parse(input)) return protocol.starts_with("http") ? "relative to a base" : "not http or https";
  if (!has_scheme && base.starts_with("http") && has_authority) return protocol.starts_with("https") ? "" : "scheme of the base";
  if (!has_scheme) return "relative: in mail \"//host\" is read as https";
  if (has_base && !has_authority && protocol.starts_with("http") && base.starts_with(protocol)) return "relative to a base";
  return {};
}

void check_urls(const char* name, const std::filesystem::path& file, std::size_t failures_known) {
  Count count;
  for (const json::value& value : load(file)) {
    if (!value.is_object()) continue;
    const json::object& c = value.get_object();
    const std::string reason = skip_reason(c);
    if (!reason.empty()) {
      ++count.skipped[reason];
      continue;
    }
    const Result<Url> url = parse(text_of(c, "input"));
    const std::string expected = c.contains("failure") ? "" : text_of(c, "href");
    const std::string actual = url ? url->href() : "";
    if (actual == expected) {
      ++count.passed;
    } else {
      ++count.failed;
      std::printf("  differs: %s\n    is  %s\n    not %s\n", text_of(c, "input").c_str(), actual.c_str(), expected.c_str());
    }
  }
  count.print(name);
  EXPECT_GT(count.passed, 4U);
  EXPECT_LE(count.failed, failures_known);
}

TEST(WhatwgSuite, urls_with_web_schemes) {
  CORPUS_OR_RETURN(folder, "whatwg-url-idna");
  check_urls("urltestdata", folder / "urltestdata.json", 0);
}

TEST(WhatwgSuite, further_urls) {
  CORPUS_OR_RETURN(folder, "whatwg-url-idna");
  check_urls("ada_extra_urltestdata", folder / "ada_extra_urltestdata.json", 0);
}

// A wrong answer is counted as harmless when we refuse a host that a newer Unicode version takes: no link leads there.
void check_hosts(const char* name, const std::filesystem::path& file, double share_min) {
  Count count;
  std::size_t accepted_wrongly = 0;
  for (const json::value& value : load(file)) {
    if (!value.is_object()) continue;
    const json::object& c = value.get_object();
    const std::string input = text_of(c, "input");
    if (has_lone_surrogate(input)) {
      ++count.skipped["lone surrogate cannot be written in UTF-8"];
      continue;
    }
    if (input.find_first_of("/\\?#@:%[]\t\r\n") != std::string::npos) {
      ++count.skipped["not a bare host"];
      continue;
    }
    const Result<Host> host = parse_host(input);
    const std::string actual = host ? host->ascii : "";
    const std::string expected = text_of(c, "output");
    if (actual == expected) {
      ++count.passed;
      continue;
    }
    ++count.failed;
    if (!actual.empty() && !expected.empty()) ++accepted_wrongly;
    if (count.failed <= 12)
      std::printf("  differs: %s\n    is  %s\n    not %s\n", input.c_str(), actual.c_str(), expected.c_str());
  }
  count.print(name);
  std::printf("%s: of the failed ones %zu led to another host; the others are refused by the older Unicode tables of our ICU\n",
              name, accepted_wrongly);
  EXPECT_EQ(accepted_wrongly, 0U);
  EXPECT_GE(static_cast<double>(count.passed), share_min * static_cast<double>(count.passed + count.failed));
}

TEST(WhatwgSuite, international_hosts) {
  CORPUS_OR_RETURN(folder, "whatwg-url-idna");
  check_hosts("toascii", folder / "toascii.json", 0.93);
  check_hosts("IdnaTestV2", folder / "IdnaTestV2.json", 0.95);
}

}  // namespace
}  // namespace mailhold::url
