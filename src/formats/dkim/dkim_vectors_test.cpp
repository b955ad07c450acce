// Messages of other projects' suites, with the outcomes those suites state. What we judge differently on
// purpose, or cannot judge, is counted with its reason.
#include <gtest/gtest.h>

#include "base/text.h"
#include "corpora.h"
#include "formats/dkim/canonical.h"
#include "formats/dkim/dkim.h"
#include "formats/dkim/tag_list.h"

namespace mailhold::dkim {
namespace {

namespace fs = std::filesystem;

std::string with_crlf(const std::string& text) {
  if (text.find("\r\n") != std::string::npos) return text;
  std::string converted;
  for (char letter : text) converted += letter == '\n' ? "\r\n" : std::string(1, letter);
  return converted;
}

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

using Keys = std::map<std::string, std::string>;

dns::Lookup lookup_in(const Keys& keys) {
  return [&keys](const dns::Question& question) -> dns::Answer {
    const auto found = keys.find(question.name);
    if (found == keys.end() || found->second == "NXDOMAIN") return {.status = dns::AnswerStatus::nxdomain};
    if (found->second.starts_with("~~")) return {.status = dns::AnswerStatus::servfail};
    return {.status = dns::AnswerStatus::ok, .records = {{found->second, 0}}};
  };
}

Keys keys_of_files(const fs::path& folder) {
  Keys keys;
  const std::string mail_dkim = read_whole_file(folder / "mail-dkim/FAKE_DNS.dat");
  for (std::string_view line : split(mail_dkim, '\n')) {
    const std::size_t space = line.find(' ');
    if (line.starts_with('#') || space == std::string_view::npos) continue;
    keys[to_lower(line.substr(0, space))] = trim(line.substr(space));
  }
  // RFC 8463 appendix A.2 and RFC 6376 appendix C.
  keys["brisbane._domainkey.football.example.com"] = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
  keys["test._domainkey.football.example.com"] =
      "v=DKIM1; k=rsa; "
      "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/"
      "byYzCNb3W91y3FutACDfzwQ/"
      "BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";
  keys["brisbane._domainkey.example.com"] =
      "v=DKIM1; "
      "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/"
      "zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/"
      "RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";
  return keys;
}

std::vector<SignatureResult> results_of(const fs::path& file, const Keys& keys, VerifyOptions options = {}) {
  const std::string text = with_crlf(read_whole_file(file));
  return verify(split_message(text), lookup_in(keys), options);
}

// Mail::DKIM's corpus is of 2006: DomainKeys, drafts without v=, and SHA-1 throughout. All that remains to be held is that none
// passes, and that what its authors call good is refused for one of the reasons that newer RFCs give.
TEST(DkimVectors, of_mail_dkim_pass_only_where_newer_rfcs_allow) {
  CORPUS_OR_RETURN(folder, "dkim-vectors");
  const Keys keys = keys_of_files(folder);
  std::map<std::string, int> counts;
  for (const fs::path& file : files_below(folder / "mail-dkim/corpus")) {
    const std::string name = file.filename();
    const auto results = results_of(file, keys);
    if (results.empty()) {
      EXPECT_NE(name.find("dk_"), std::string::npos) << name;
      ++counts["skipped: DomainKeys (RFC 4870) only, no DKIM signature"];
      continue;
    }
    for (const SignatureResult& result : results) EXPECT_NE(result.outcome, Outcome::pass) << name;
    const bool is_called_good = name.starts_with("good") || name.starts_with("mine") || name.starts_with("no_body");
    if (!is_called_good) {
      ++counts["as the suite says: not pass"];
      continue;
    }
    const std::string& problem = results[0].problem;
    EXPECT_TRUE(problem == "rsa-sha1 is not accepted (RFC 8301)" || problem == "v= is not 1") << name << ": " << problem;
    ++counts["skipped as valid: " + problem];
  }
  for (const auto& [what, count] : counts) std::printf("mail-dkim: %3d %s\n", count, what.c_str());
}

TEST(DkimVectors, of_mail_auth_pass) {
  CORPUS_OR_RETURN(folder, "dkim-vectors");
  int passed = 0;
  for (const char* name : {"005.txt", "006.txt"}) {
    const std::string file = with_crlf(read_whole_file(folder / "stalwart-mail-auth/dkim" / name));
    const std::size_t end = file.find("\r\n\r\n");
    const std::string first_line = file.substr(0, end);  // its own DNS record
    const std::size_t space = first_line.find(' ');
    const Keys keys{{first_line.substr(0, space), first_line.substr(space + 1)}};
    const std::string message = file.substr(end + 4);
    const auto results =
        verify(split_message(message), lookup_in(keys), {.now = std::chrono::sys_seconds(std::chrono::seconds(1667900000))});
    ASSERT_EQ(results.size(), 1u);
    EXPECT_EQ(results[0].outcome, Outcome::pass) << name << ": " << results[0].problem;
    passed += results[0].outcome == Outcome::pass;
  }
  std::printf("mail-auth dkim: %d of 2 pass (skipped: dkim2 is a draft; arc, arf, tlsrpt, dmarc-feedback and spf are not DKIM)\n",
              passed);
}

TEST(DkimVectors, of_chasquid_come_out_as_stated) {
  CORPUS_OR_RETURN(folder, "dkim-vectors");
  const Keys keys = keys_of_files(folder);
  const auto many = results_of(folder / "chasquid/02-too_many_headers.msg", keys, {.signatures_max = 5});
  ASSERT_EQ(many.size(), 5u);
  for (const SignatureResult& result : many) EXPECT_EQ(result.outcome, Outcome::pass) << result.problem;
  const auto bad_version = results_of(folder / "chasquid/04-bad_dkim_signature_header.msg", keys);
  ASSERT_EQ(bad_version.size(), 1u);
  EXPECT_EQ(bad_version[0].outcome, Outcome::neutral);
  const auto limited = results_of(folder / "chasquid/09-limited_body.msg", keys, {.partial_body = PartialBody::accepted});
  ASSERT_EQ(limited.size(), 3u);
  EXPECT_EQ(limited[0].problem, "no key");
  EXPECT_EQ(limited[1].outcome, Outcome::pass) << limited[1].problem;
  EXPECT_EQ(limited[2].outcome, Outcome::pass) << limited[2].problem;
  std::printf(
      "chasquid: 8 of 9 signatures as stated, 1 skipped: its key is not in the collection (its body hash is checked below)\n");
}

TEST(DkimVectors, of_dkim_verifier_come_out_as_named) {
  CORPUS_OR_RETURN(folder, "dkim-vectors");
  const Keys keys = keys_of_files(folder);
  const std::map<std::string, Outcome> exceptions{{"rfc6376-A.2-body_modified.eml", Outcome::fail},
                                                  {"rfc6376-A.2-header_subject_modified.eml", Outcome::fail},
                                                  {"rfc6376-A.2-ill_formed-missing_v.eml", Outcome::neutral}};
  int right = 0;
  std::map<std::string, int> skipped;
  for (const fs::path& file : files_below(folder / "lieser")) {
    if (file.extension() != ".eml") continue;
    const std::string name = file.filename();
    for (const SignatureResult& result : results_of(file, keys)) {
      if (result.problem == "no key") {
        ++skipped["key not in the collection"];
        continue;
      }
      const auto exception = exceptions.find(name);
      const Outcome wanted = exception == exceptions.end() ? Outcome::pass : exception->second;
      EXPECT_EQ(result.outcome, wanted) << name << ": " << result.problem;
      right += result.outcome == wanted;
    }
  }
  std::printf("dkim_verifier: %d signatures as named\n", right);
  for (const auto& [why, count] : skipped) std::printf("dkim_verifier: %d skipped: %s\n", count, why.c_str());
}

// The hash of the body needs no key, so it can be checked for every SHA-256 signature of the collection.
TEST(DkimVectors, body_hashes_match_in_every_suite) {
  CORPUS_OR_RETURN(folder, "dkim-vectors");
  int matched = 0;
  std::set<std::string> differing;
  for (const fs::path& file : files_below(folder)) {
    // Reports hold messages, and bodies of the DKIM2 draft change on their way.
    if (file.string().find("/arf/") != std::string::npos || file.string().find("/dkim2/") != std::string::npos) continue;
    const std::string text = with_crlf(read_whole_file(file));
    const MessageView message = split_message(text);
    for (const HeaderField& field : message.fields) {
      if (!equals_ignoring_case(field.name, "DKIM-Signature")) continue;
      const auto tags = TagList::parse(field.value);
      if (!tags || !tags->value("bh") || !tags->value("a").value_or("").ends_with("sha256")) continue;
      const std::string forms(tags->value("c").value_or("simple"));
      const Canonical form = forms.find("/relaxed") != std::string::npos ? Canonical::relaxed : Canonical::simple;
      const auto length = tags->value("l") ? to_number(*tags->value("l")) : std::nullopt;
      if (to_base64(hash_body(message.body, form, length).sha256) == without_white_space(*tags->value("bh"))) {
        ++matched;
        continue;
      }
      differing.insert(file.filename());
    }
  }
  std::printf("body hashes: %d match, %zu differ (skipped: folders arf and dkim2)\n", matched, differing.size());
  EXPECT_EQ(differing, (std::set<std::string>{"bad_ietf01_1.txt", "rfc6376-A.2-body_modified.eml"}));
}

}  // namespace
}  // namespace mailhold::dkim
