#include "formats/url/look_alike.h"

#include <vector>

#include "base/text.h"
#include "base/utf8.h"
#include "corpora.h"
#include "formats/url/host.h"

namespace mailhold::url {
namespace {

const std::vector<std::string> own = {"example.com", "contoso-bank.co.uk", "xn--mller-kva.example"};

std::string_view name_of(LookAlike kind) {
  switch (kind) {
    case LookAlike::none: return "none";
    case LookAlike::homograph: return "homograph";
    case LookAlike::typo: return "typo";
    case LookAlike::embedded: return "embedded";
  }
  return "";
}

std::string found(std::string_view host) {
  const Result<Host> ascii = parse_host(host);
  if (!ascii) return "no host";
  return std::string(name_of(OwnDomains(own).resembled_by(ascii->ascii).kind));
}

TEST(LookAlike, warns_of_hosts_that_read_like_an_own_domain) {
  const struct {
    std::string_view host, kind;
  } cases[] = {
      {"example.com", "none"},
      {"www.example.com", "none"},
      {"m\xc3\xbcller.example", "none"},
      {"examp1e.com", "homograph"},
      {"exarnple.com", "homograph"},
      {"www.examp1e.com", "homograph"},
      {"\xd0\xb5xample.com", "homograph"},  // Cyrillic e
      {"ex\xc3\xa4mple.com", "homograph"},
      {"muller.example", "homograph"},
      {"contoso-bank.co.uk.evil.net", "embedded"},
      {"contoso\xe2\x80\x90"
       "bank.co.uk",
       "homograph"},
      {"example.com.evil.net", "embedded"},
      {"login.example.com.evil.net", "embedded"},
      {"example-com.evil.net", "embedded"},
      {"secure-example.com", "embedded"},
      {"exmaple.com", "typo"},
      {"exampel.com", "typo"},
      {"examples.com", "typo"},
      {"example.co", "typo"},
      {"example.cm", "typo"},
      {"contosobank.co.uk", "typo"},
      {"contoso-bnak.com", "typo"},
      {"example.net", "none"},
      {"example.org", "none"},
      {"shop.example", "none"},
      {"sample.org", "none"},
      {"unrelated.example", "none"},
      {"b\xc3\xbc"
       "cher.example",
       "none"},
      {"com", "none"},
  };
  for (const auto& c : cases) EXPECT_EQ(found(c.host), c.kind) << c.host;
}

TEST(LookAlike, sees_through_disguised_international_names) {
  EXPECT_TRUE(is_disguised(parse_host("\xd0\xb0pple.example")->ascii));  // one Cyrillic letter among Latin ones
  EXPECT_TRUE(is_disguised(parse_host("\xd0\xb0\xd1\x80\xd1\x80\xd3\x8f\xd0\xb5.example")->ascii));  // all Cyrillic
  EXPECT_FALSE(is_disguised("xn--bcher-kva.example"));
  EXPECT_FALSE(is_disguised("xn--e1afmkfd.example"));  // a Russian word
  EXPECT_FALSE(is_disguised("xn--fsqu00a.example"));   // Chinese
  EXPECT_FALSE(is_disguised("example.com"));
}

TEST(LookAlike, one_letter_more_than_the_limit_is_no_typo) {
  EXPECT_EQ(found("exmpel.com"), "none");
  EXPECT_EQ(found("contoso-bxyz.co.uk"), "none");
}

TEST(LookAlike, survives_hosts_of_any_shape) {
  for (std::string_view host : {"", ".", "..", "a", "xn--", ".example.com", "example.com..", "-", "example.com-"})
    OwnDomains(own).resembled_by(host);
  const std::vector<std::string> odd = {"", ".", "com", "a.b.c.d.e.f", "..", std::string(10'000, 'a')};
  EXPECT_EQ(OwnDomains(odd).resembled_by("example.org").kind, LookAlike::none);
}

// Each pair of the collection whose target is a plain letter of host names: replaced in "example", does it still look alike?
TEST(LookAlike, folds_the_confusable_letters_of_the_collection) {
  CORPUS_OR_RETURN(folder, "unicode-confusables");
  const std::string file = read_whole_file(folder / "confusables.txt");
  std::size_t folded = 0, refused_by_browsers = 0, missed = 0;
  for (std::string_view line : split(file, '\n')) {
    const std::vector<std::string_view> columns = split(line, ';');
    if (columns.size() < 3 || line.starts_with("#")) continue;
    const std::string source_text(trim(columns[0])), target_text(trim(columns[1]));
    if (source_text.find(' ') != std::string::npos || target_text.size() != 4) continue;
    const char32_t source = static_cast<char32_t>(std::strtoul(source_text.c_str(), nullptr, 16));
    const char32_t target = static_cast<char32_t>(std::strtoul(target_text.c_str(), nullptr, 16));
    if (target < 'a' || target > 'z' || source < 0x80) continue;
    std::string spoofed = "b";
    append_utf8(spoofed, source);
    spoofed += "nk.example";
    const std::string own_domain = std::string("b") + static_cast<char>(target) + "nk.example";
    const Result<Host> host = parse_host(spoofed);
    if (!host) {
      ++refused_by_browsers;
      continue;
    }
    const std::vector<std::string> domains = {own_domain};
    const bool is_same = host->ascii == own_domain;  // UTS 46 maps the letter itself
    (is_same || OwnDomains(domains).resembled_by(host->ascii).kind == LookAlike::homograph) ? ++folded : ++missed;
    if (missed != 0 && missed < 6 && !is_same && OwnDomains(domains).resembled_by(host->ascii).kind != LookAlike::homograph) {
      std::printf("  not folded: U+%04X for %c\n", static_cast<unsigned>(source), static_cast<char>(target));
    }
  }
  std::printf("unicode-confusables: %zu letters folded, %zu missed, %zu refused as hosts\n", folded, missed, refused_by_browsers);
  EXPECT_GT(folded, 500U);
  EXPECT_LT(missed * 50, folded);
}

}  // namespace
}  // namespace mailhold::url
