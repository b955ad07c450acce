#include "formats/dmarc/dmarc.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "corpora.h"

namespace mailhold::dmarc {
namespace {

const PublicSuffixes& suffixes() {
  static const PublicSuffixes list = PublicSuffixes::built_in().value();
  return list;
}

TEST(DmarcRecord, is_read_with_its_defaults) {
  const Record record = *parse_record("v=DMARC1; p=reject; rua=mailto:a@example.com");
  EXPECT_EQ(record.policy, Policy::reject);
  EXPECT_EQ(record.subdomain_policy, Policy::reject);
  EXPECT_EQ(record.percent, 100u);
  EXPECT_EQ(record.spf, Alignment::relaxed);
  const Record full = *parse_record("v = DMARC1 ;p=Quarantine;sp=none;pct=20;adkim=s;aspf=s;x=y;");
  EXPECT_EQ(full.policy, Policy::quarantine);
  EXPECT_EQ(full.subdomain_policy, Policy::none);
  EXPECT_EQ(full.percent, 20u);
  EXPECT_EQ(full.dkim, Alignment::strict);
  EXPECT_EQ(full.spf, Alignment::strict);
}

TEST(DmarcRecord, without_usable_policy_counts_only_for_reports) {
  EXPECT_FALSE(parse_record("v=DMARC1"));
  EXPECT_FALSE(parse_record("v=DMARC1; p=block"));
  EXPECT_FALSE(parse_record("p=reject; v=DMARC1"));
  EXPECT_FALSE(parse_record("v=dmarc1; p=reject"));
  EXPECT_FALSE(parse_record("v=DMARC10; p=reject"));
  EXPECT_EQ(parse_record("v=DMARC1; p=block; rua=mailto:a@example.com")->policy, Policy::none);
  EXPECT_EQ(parse_record("v=DMARC1; p=reject; sp=x; rua=mailto:a@example.com")->policy, Policy::none);
  EXPECT_EQ(parse_record("v=DMARC1; p=reject; pct=101")->percent, 100u);
}

TEST(FromDomain, is_that_of_the_one_address) {
  const std::pair<const char*, const char*> cases[] = {
      {" <admin@Example.COM>", "example.com"},
      {" admin@example.com", "example.com"},
      {" Ann <ann@mail.example.com> (work)", "mail.example.com"},
      {" \"Lee, Ann <x@y.example>\" <ann@example.com>", "example.com"},
      {" =?utf-8?q?A?= <ann@example.com>", "example.com"},
      {" ann@example.com (Ann)", "example.com"},
      {"\r\n\tAnn\r\n <ann@example.com>", "example.com"},
      {" ann@example.com <ann@example.com>", "example.com"},
      {" Example, Inc. <ann@example.com>", "example.com"},
      {" [Bugs] Ann: news <ann@example.com>", "example.com"},
      {" \"odd name\"@example.com", "example.com"},
      {" <ann@b\xc3\xbc"
       "cher.example>",
       "xn--bcher-kva.example"},
      {" < ann@example.com >", "example.com"},
  };
  for (const auto& [value, domain] : cases) {
    const Result<std::string> found = from_domain({value});
    EXPECT_TRUE(found && *found == domain) << value << ": " << (found ? *found : found.error().detail);
  }
}

TEST(FromDomain, is_refused_where_readers_could_differ) {
  EXPECT_EQ(from_domain({}).error().detail, "no From field");
  EXPECT_EQ(from_domain({" a@example.com", " b@example.com"}).error().detail, "more than one From field");
  const std::string values[] = {
      "",
      " ",
      " <>",
      " Ann",
      " <ann>",
      " <@example.com>",
      " <ann@>",
      " <first@attack.com>, <admin@legitimate.com>",
      "=?utf-8?B?PGFkbWluQGxlZ2l0aW1hdGUuY29tPg==?=,<second@attack.com>",
      " <admin@legitimate.com>\\,<second@attack.com>",
      " admin@legitimate.com,<second@attack.com>",
      " admin@legitimate.com <second@attack.com>",
      " <@legitimate.com,@any.com:any@attack.com>",
      " <admin@legitimate.com(.attack.com>",
      " <admin@legitimate.com (comment)>",
      " group: <a@example.com>;",
      " <a@[192.0.2.1]>",
      " <a@b@example.com>",
      " <<a@example.com>",
      " <a@example.com>>",
      " <a@example.com",
      " (a@example.com",
      " \"a@example.com",
      " a@example.com b@example.org",
      " <a@exa mple.com>",
      " <\"a\\\"@attack.com\"@example.com>",
      " <a@legitimate.com'.attack.com>",
      " <a@-..example>",
      std::string(" <a@example.com\0.attack.com>", 28),
      " <a@example.com>\nFrom: b@example.org",
      " a@example.com\r <b@example.org>",
      " <a@example.com> x",
      " <a@\xff.example>",
  };
  for (const std::string& value : values) {
    const Result<std::string> found = from_domain({value});
    EXPECT_FALSE(found) << value << ": " << *found;
  }
}

dns::Lookup zone(std::map<std::string, std::string> records) {
  return [records](const dns::Question& question) -> dns::Answer {
    const auto found = records.find(question.name);
    if (found == records.end()) return {.status = dns::AnswerStatus::nxdomain};
    return {.status = dns::AnswerStatus::ok, .records = {{found->second, 0}}};
  };
}

Input input(const std::string& from, const std::string& spf, std::vector<std::string> dkim) {
  Input input;
  input.from = from;
  input.spf_domain = spf;
  input.dkim_domains = std::move(dkim);
  return input;
}

TEST(Dmarc, passes_by_alignment_with_the_organization) {
  const auto lookup = zone({{"_dmarc.example.co.uk", "v=DMARC1; p=reject; sp=quarantine"}});
  EXPECT_EQ(evaluate(input("mail.example.co.uk", "bounce.example.co.uk", {}), suffixes(), lookup).outcome, Outcome::pass);
  EXPECT_EQ(evaluate(input("example.co.uk", "", {"other.example", "x.example.co.uk"}), suffixes(), lookup).outcome,
            Outcome::pass);
  const Evaluation other =
      evaluate(input("mail.example.co.uk", "other.co.uk", {"notexample.co.uk", "co.uk"}), suffixes(), lookup);
  EXPECT_EQ(other.outcome, Outcome::fail);
  EXPECT_EQ(other.disposition, Policy::quarantine);  // sp
  EXPECT_EQ(other.record_domain, "example.co.uk");
  EXPECT_EQ(evaluate(input("example.co.uk", "", {}), suffixes(), lookup).disposition, Policy::reject);
}

TEST(Dmarc, strict_alignment_wants_the_same_domain) {
  const auto lookup = zone({{"_dmarc.example.com", "v=DMARC1; p=reject; adkim=s; aspf=s"}});
  EXPECT_EQ(evaluate(input("example.com", "mail.example.com", {"mail.example.com"}), suffixes(), lookup).outcome, Outcome::fail);
  EXPECT_EQ(evaluate(input("example.com", "", {"example.com"}), suffixes(), lookup).outcome, Outcome::pass);
}

TEST(Dmarc, sampling_softens_the_policy_by_one_step) {
  const auto lookup = zone({{"_dmarc.example.com", "v=DMARC1; p=reject; pct=30"}});
  Input failing = input("example.com", "", {});
  failing.sample = 29;
  EXPECT_EQ(evaluate(failing, suffixes(), lookup).disposition, Policy::reject);
  failing.sample = 30;
  EXPECT_EQ(evaluate(failing, suffixes(), lookup).disposition, Policy::quarantine);
}

TEST(Dmarc, without_record_is_none_and_says_what_is_aligned) {
  const Evaluation evaluation =
      evaluate(input("example.com", "example.com", {}), suffixes(), zone({{"_dmarc.example.com", "v=spf1 -all"}}));
  EXPECT_EQ(evaluation.outcome, Outcome::none);
  EXPECT_TRUE(evaluation.spf_aligned);
}

TEST(Dmarc, temporary_failures_never_reject) {
  const auto lookup = zone({{"_dmarc.example.com", "v=DMARC1; p=reject"}});
  Input failing = input("example.com", "", {});
  failing.authentication_was_temporary = true;
  EXPECT_EQ(evaluate(failing, suffixes(), lookup).outcome, Outcome::temperror);
  const auto away = [](const dns::Question&) { return dns::Answer{.status = dns::AnswerStatus::bogus}; };
  EXPECT_EQ(evaluate(input("example.com", "", {}), suffixes(), away).outcome, Outcome::temperror);
}

TEST(Dmarc, several_records_are_none) {
  const auto lookup = [](const dns::Question&) {
    return dns::Answer{.status = dns::AnswerStatus::ok, .records = {{"v=DMARC1; p=reject", 0}, {"v=DMARC1; p=none", 0}}};
  };
  EXPECT_EQ(evaluate(input("example.com", "", {}), suffixes(), lookup).outcome, Outcome::none);
}

TEST(Dmarc, questions_are_known_up_front) {
  const auto questions = policy_questions("a.b.example.com", suffixes());
  ASSERT_EQ(questions.size(), 2u);
  EXPECT_EQ(questions[0].name, "_dmarc.a.b.example.com");
  EXPECT_EQ(questions[1].name, "_dmarc.example.com");
  EXPECT_EQ(policy_questions("example.com", suffixes()).size(), 1u);
}

TEST(PublicSuffixes, a_file_of_another_kind_is_refused) {
  EXPECT_EQ(PublicSuffixes::load("/nonexistent").error().kind, ErrorKind::not_found);
  EXPECT_FALSE(PublicSuffixes::load("/dev/null"));
}

struct SuffixTest {
  std::string domain;
  std::string wanted;  // "null": the domain is a public suffix
};

// Lines "checkPublicSuffix('a.example.com', 'example.com');" of test_psl.txt and "a.example.com example.com" of tests.txt.
std::vector<SuffixTest> suffix_tests(const std::string& text) {
  std::vector<SuffixTest> tests;
  for (std::string_view line : split(text, '\n')) {
    if (line.empty() || line.starts_with("//")) continue;
    if (line.starts_with("checkPublicSuffix(")) line = line.substr(18, line.find(')') - 18);
    std::string plain;
    for (char letter : line) {
      if (letter != '\'' && letter != ',') plain += letter;
    }
    const auto words = split(plain, ' ');
    tests.push_back({std::string(words.at(0)), std::string(words.at(1))});
  }
  return tests;
}

TEST(PublicSuffixes, of_the_list_come_out_as_its_tests_say) {
  CORPUS_OR_RETURN(folder, "public-suffix-list");
  const PublicSuffixes list = PublicSuffixes::load(folder / "public_suffix_list.dat").value();
  int right = 0;
  int skipped = 0;
  for (const char* name : {"test_psl.txt", "tests.txt"}) {
    for (const auto& [domain, wanted] : suffix_tests(read_whole_file(folder / name))) {
      if (domain == "null" || domain.starts_with('.')) {
        ++skipped;
        continue;
      }
      const bool is_suffix = wanted == "null";
      const bool is_right = list.is_public_suffix(domain) == is_suffix &&
                            list.organizational_domain(domain) == (is_suffix ? to_lower(domain) : wanted);
      EXPECT_TRUE(is_right) << domain << " " << list.organizational_domain(domain);
      right += is_right;
    }
  }
  std::printf("public suffixes: %d right, %d skipped (null or leading dot: no domain of From can be that)\n", right, skipped);
  EXPECT_GE(right, 80);
}

// Strictness has a price only if honest mail pays it.
TEST(FromDomain, is_found_in_honest_mail) {
  CORPUS_OR_RETURN(folder, "spamassassin-public-corpus");
  int found = 0;
  std::map<std::string, int> refusals;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file() || entry.path().string().find("ham") == std::string::npos) continue;
    const std::string text = "\n" + read_whole_file(entry.path());
    const std::size_t start = to_lower(text.substr(0, text.find("\n\n"))).find("\nfrom:");
    if (start == std::string::npos) continue;
    std::size_t end = start + 6;
    do end = std::min(text.find('\n', end + 1), text.size());
    while (end + 1 < text.size() && (text[end + 1] == ' ' || text[end + 1] == '\t'));
    const Result<std::string> domain = from_domain({std::string_view(text).substr(start + 6, end - start - 6)});
    domain ? ++found : ++refusals[domain.error().detail];
  }
  int refused = 0;
  for (const auto& [why, count] : refusals) std::printf("honest mail: %d refused: %s\n", count, why.c_str()), refused += count;
  std::printf("honest mail: %d domains found, %d refused\n", found, refused);
  EXPECT_LT(refused, found / 100 + 1);
}

}  // namespace
}  // namespace mailhold::dmarc
