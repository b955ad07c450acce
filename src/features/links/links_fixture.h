// A table of link keys and a click service over it, for the tests of this room.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "features/links/click_service.h"
#include "features/links/link_wrapper.h"

namespace mailhold::links {

class KeyTable {
 public:
  Id add_tenant() {
    const Id tenant = Id::random();
    add_version(tenant);
    return tenant;
  }
  void add_version(const Id& tenant) { keys_[tenant].push_back(SecretText::random(32)); }
  // Gives one tenant the key of another: what only a broken key store could do.
  void copy(const Id& from, const Id& to) { keys_[to].push_back(keys_[from].front().duplicate()); }
  void set_away(bool away) { away_ = away; }

  LinkKeySource source() {
    return [this](const Id& tenant, std::optional<std::uint32_t> version, const Deadline&) -> Result<LinkKey> {
      if (away_) return Error{ErrorKind::unavailable, "keyd is away"};
      const auto found = keys_.find(tenant);
      if (found == keys_.end()) return Error{ErrorKind::not_found, "no such tenant"};
      const std::uint32_t wanted = version.value_or(static_cast<std::uint32_t>(found->second.size()));
      if (wanted == 0 || wanted > found->second.size()) return Error{ErrorKind::not_found, "no such version"};
      return LinkKey{wanted, found->second[wanted - 1].duplicate()};
    };
  }

 private:
  std::map<Id, std::vector<SecretText>> keys_;
  bool away_ = false;
};

class LinksFixture : public ::testing::Test {
 protected:
  LinksFixture() : wrapper(LinkWrapper::create("https://links.example", keys.source()).value()) {
    LinkPolicies policies;
    policies.tenants[tenant] = {"contoso",
                                {"contoso-bank.example"},
                                {"allowed-contoso-bank.example", "*.partner.example"},
                                {"denied.example", "https://half.example/bad"}};
    policies.tenants[other] = {"other", {"other.example"}, {}, {}};
    service.set_policies(policies);
  }

  static Deadline soon() { return Deadline::after(std::chrono::seconds(5)); }

  // The path of the wrapped link, as a browser asks for it.
  std::string path_of(std::string_view url) {
    const std::string link = wrapper.wrap(tenant, url, message, clock.now(), soon()).value();
    EXPECT_TRUE(link.starts_with("https://links.example/")) << url;
    return link.substr(std::string_view("https://links.example").size());
  }

  http::Response get(std::string target, std::string language = "en", std::string method = "GET") {
    return service.answer(
        {std::move(method), std::move(target), 1, {{"host", "links.example"}, {"accept-language", std::move(language)}}, {}},
        soon());
  }

  http::Response post(std::string target, std::string body, std::string site = "same-origin") {
    return service.answer(
        {"POST", std::move(target), 1, {{"host", "links.example"}, {"sec-fetch-site", std::move(site)}}, std::move(body)},
        soon());
  }

  static std::string field(const http::Response& response, std::string_view name) {
    for (const auto& [key, value] : response.fields) {
      if (key == name) return value;
    }
    return {};
  }

  KeyTable keys;
  Id tenant = keys.add_tenant();
  Id other = keys.add_tenant();
  Id message = Id::random();
  ManualClock clock{1'800'000'000'000};
  Indicators indicators{std::filesystem::path()};
  std::vector<ClickEvent> events;
  ClickService service{keys.source(), indicators, clock, [this](const ClickEvent& event) { events.push_back(event); }};
  LinkWrapper wrapper;
};

}  // namespace mailhold::links
