#include "features/links/indicators.h"

#include <fstream>
#include <iterator>

#include "base/text.h"
#include "formats/url/host.h"
#include "platform/crypto/hash.h"

namespace mailhold::links {
namespace {

constexpr std::uintmax_t file_bytes_max = 64U << 20;
constexpr std::size_t rule_bytes_max = 8 * 1024;
constexpr std::string_view digest_prefix = "sha256:";

// What a URL rule is compared with: neither scheme nor userinfo nor fragment.
std::string comparable(const url::Url& url) {
  std::string text = url.host;
  if (url.port) text += ":" + std::to_string(*url.port);
  text += url.path;
  if (url.query) text += "?" + *url.query;
  return text;
}

std::string_view without_dot(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

// A host rule as it is compared: ASCII, lower case.
std::optional<std::string> comparable_host(std::string_view text) {
  const Result<url::Host> host = url::parse_host(text);
  if (!host) return std::nullopt;
  return std::string(without_dot(host->ascii));
}

}  // namespace

bool RuleSet::add(std::string_view rule) {
  rule = trim(rule);
  if (rule.empty() || rule.size() > rule_bytes_max) return false;
  if (starts_with_ignoring_case(rule, digest_prefix)) {
    std::optional<std::string> digest = from_hex(rule.substr(digest_prefix.size()));
    if (!digest || digest->size() != crypto::sha256_size) return false;
    digests_.insert(std::move(*digest));
    return true;
  }
  if (rule.find("://") != std::string_view::npos) {
    const Result<url::Url> url = url::parse(rule);
    if (!url) return false;
    std::string prefix = comparable(*url);
    prefix_lengths_.insert(prefix.size());
    prefixes_.insert(std::move(prefix));
    return true;
  }
  const bool with_names_below = rule.starts_with("*.");
  const std::optional<std::string> host = comparable_host(with_names_below ? rule.substr(2) : rule);
  if (!host) return false;
  (with_names_below ? domains_ : hosts_).insert(*host);
  return true;
}

bool RuleSet::matches(const url::Url& url) const {
  const std::string_view host = without_dot(url.host);
  if (hosts_.contains(std::string(host))) return true;
  for (std::string_view rest = host; !domains_.empty();) {
    if (domains_.contains(std::string(rest))) return true;
    const std::size_t dot = rest.find('.');
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (!prefixes_.empty()) {
    const std::string text = comparable(url);
    for (std::size_t length : prefix_lengths_) {
      if (length > text.size()) break;
      if (prefixes_.contains(text.substr(0, length))) return true;
    }
  }
  if (digests_.empty()) return false;
  const std::string href = url.href();
  return digests_.contains(crypto::sha256(href)) || digests_.contains(crypto::sha256(href.substr(0, href.find('#'))));
}

Result<Indicators::Loaded> Indicators::reload() {
  if (file_.empty()) return Loaded{};
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(file_, failed);
  if (failed) return Error{ErrorKind::not_found, "no indicator file: " + failed.message()};
  if (size > file_bytes_max) return Error{ErrorKind::limit_exceeded, "the indicator file is larger than 64 MiB"};
  const std::filesystem::file_time_type time = std::filesystem::last_write_time(file_, failed);
  std::ifstream file(file_, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (failed || !file) return Error{ErrorKind::unavailable, "the indicator file cannot be read"};
  auto rules = std::make_shared<RuleSet>();
  Loaded loaded;
  for (std::string_view line : split(text, '\n')) {
    line = trim(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    ++(rules->add(line) ? loaded.rules : loaded.refused);
  }
  const std::lock_guard lock(mutex_);
  rules_ = std::move(rules);
  loaded_time_ = time;
  loaded_size_ = size;
  return loaded;
}

void Indicators::reload_if_changed() {
  if (file_.empty()) return;
  std::error_code failed;
  const std::filesystem::file_time_type time = std::filesystem::last_write_time(file_, failed);
  const std::uintmax_t size = failed ? 0 : std::filesystem::file_size(file_, failed);
  if (failed) return;
  {
    const std::lock_guard lock(mutex_);
    if (time == loaded_time_ && size == loaded_size_) return;
  }
  // On failure the rules in force stay; link.reload tells an operator why.
  static_cast<void>(reload());
}

std::shared_ptr<const RuleSet> Indicators::rules() const {
  const std::lock_guard lock(mutex_);
  return rules_;
}

}  // namespace mailhold::links
