#include "features/links/page_texts.h"

namespace mailhold::links {
namespace {

struct Pair {
  std::string_view english;
  std::string_view german;
  std::string_view in(Language language) const { return language == Language::german ? german : english; }
};

Pair pair_of(PageText text) {
  switch (text) {
    case PageText::footer:
      return {"Link protection of your organisation. This page does not know who you are.",
              "Linkschutz Ihrer Organisation. Diese Seite weiß nicht, wer Sie sind."};
    case PageText::host: return {"The link leads to", "Der Link führt zu"};
    case PageText::address: return {"Full address", "Vollständige Adresse"};
    case PageText::warn_heading: return {"Look twice before you go on", "Schauen Sie genau hin, bevor Sie weitergehen"};
    case PageText::warn_intro:
      return {"This link came in an e-mail, and something about its address is unusual:",
              "Dieser Link kam mit einer E-Mail, und an seiner Adresse ist etwas ungewöhnlich:"};
    case PageText::warn_advice:
      return {
          "If you did not expect this link, close this page. Never enter a password or a code on a page that you reached "
          "through such a link. Ask your IT department if you are not sure.",
          "Wenn Sie diesen Link nicht erwartet haben, schließen Sie diese Seite. Geben Sie auf einer Seite, die Sie über so "
          "einen Link erreicht haben, nie ein Passwort oder einen Code ein. Fragen Sie im Zweifel Ihre IT-Abteilung."};
    case PageText::go_on: return {"I know this address, go on", "Ich kenne diese Adresse, weiter"};
    case PageText::block_heading: return {"This link is blocked", "Dieser Link ist gesperrt"};
    case PageText::block_intro:
      return {"This link came in an e-mail. Your organisation does not let it open:",
              "Dieser Link kam mit einer E-Mail. Ihre Organisation lässt ihn nicht zu:"};
    case PageText::block_advice:
      return {
          "You have visited nothing and nothing was sent. You can close this page. If you need the page behind the link, "
          "ask your IT department.",
          "Sie haben nichts besucht, und es wurde nichts gesendet. Sie können diese Seite schließen. Wenn Sie die Seite hinter "
          "dem Link brauchen, fragen Sie Ihre IT-Abteilung."};
    case PageText::preview_heading: return {"Where this link leads", "Wohin dieser Link führt"};
    case PageText::preview_intro:
      return {"You asked for the original address of this link. It was not visited.",
              "Sie haben nach der ursprünglichen Adresse dieses Links gefragt. Sie wurde nicht besucht."};
    case PageText::preview_allowed:
      return {"A click on it now would go on directly.", "Ein Klick würde jetzt direkt weiterführen."};
    case PageText::preview_warned:
      return {"A click on it now would show a warning:", "Ein Klick würde jetzt eine Warnung zeigen:"};
    case PageText::preview_blocked: return {"A click on it now would be blocked:", "Ein Klick würde jetzt gesperrt:"};
  }
  return {};
}

Pair pair_of(ClickReason reason) {
  switch (reason) {
    case ClickReason::allowed_by_tenant:
      return {"Your organisation allows this address.", "Ihre Organisation erlaubt diese Adresse."};
    case ClickReason::denied_by_tenant:
      return {"Your organisation has blocked this address.", "Ihre Organisation hat diese Adresse gesperrt."};
    case ClickReason::listed:
      return {"The address is on a list of known dangerous pages.",
              "Die Adresse steht auf einer Liste bekannter gefährlicher Seiten."};
    case ClickReason::homograph:
      return {"It looks almost the same as a name of your own organisation but is another one:",
              "Sie sieht fast genauso aus wie ein Name Ihrer eigenen Organisation, ist aber ein anderer:"};
    case ClickReason::typo:
      return {"It is spelt almost like a name of your own organisation:",
              "Sie schreibt sich fast wie ein Name Ihrer eigenen Organisation:"};
    case ClickReason::embedded:
      return {"It contains a name of your own organisation but does not belong to it:",
              "Sie enthält einen Namen Ihrer eigenen Organisation, gehört aber nicht zu ihr:"};
    case ClickReason::international:
      return {"It uses letters of other scripts that look like Latin ones.",
              "Sie verwendet Buchstaben anderer Schriften, die wie lateinische aussehen."};
    case ClickReason::ip_address:
      return {"It is a bare number instead of a name.", "Sie besteht aus einer bloßen Nummer statt aus einem Namen."};
    case ClickReason::userinfo:
      return {"A part before the @ sign hides where the link really leads.",
              "Ein Teil vor dem @-Zeichen verdeckt, wohin der Link wirklich führt."};
    case ClickReason::unreadable:
      return {"The address is written in a way that cannot be checked.",
              "Die Adresse ist so geschrieben, dass sie nicht geprüft werden kann."};
  }
  return {};
}

}  // namespace

std::string_view text_of(Language language, PageText text) { return pair_of(text).in(language); }
std::string_view text_of(Language language, ClickReason reason) { return pair_of(reason).in(language); }

std::pair<std::string_view, std::string_view> text_of(Language language, Notice notice) {
  const auto both = [language](Pair heading, Pair text) { return std::pair(heading.in(language), text.in(language)); };
  switch (notice) {
    case Notice::home:
      return both({"Link protection", "Linkschutz"},
                  {"Links in e-mail are checked here at the moment of the click. There is nothing else to see.",
                   "Hier werden Links aus E-Mails im Augenblick des Klicks geprüft. Mehr gibt es hier nicht zu sehen."});
    case Notice::no_such_page:
    case Notice::broken_link:
      return both(
          {"This link does not work", "Dieser Link funktioniert nicht"},
          {"It is incomplete or was changed on its way, so we do not follow it. If you copied it, copy it again as a whole, "
           "or open it from the original e-mail.",
           "Er ist unvollständig oder wurde unterwegs verändert, deshalb folgen wir ihm nicht. Wenn Sie ihn kopiert haben, "
           "kopieren Sie ihn noch einmal vollständig, oder öffnen Sie ihn aus der ursprünglichen E-Mail."});
    case Notice::too_long:
      return both({"This link was removed", "Dieser Link wurde entfernt"},
                  {"The address in the e-mail was too long to be checked. Ask the sender for a shorter one.",
                   "Die Adresse in der E-Mail war zu lang, um geprüft zu werden. Bitten Sie den Absender um eine kürzere."});
    case Notice::try_again:
      return both({"Please try again in a minute", "Bitte versuchen Sie es in einer Minute noch einmal"},
                  {"The link could not be checked just now. Nothing is wrong with your e-mail.",
                   "Der Link konnte gerade nicht geprüft werden. Mit Ihrer E-Mail ist alles in Ordnung."});
    case Notice::too_many_requests:
      return both({"Too many requests", "Zu viele Anfragen"},
                  {"Wait a moment and open the link again.", "Warten Sie einen Augenblick und öffnen Sie den Link noch einmal."});
    case Notice::bad_request:
      return both({"This request was not understood", "Diese Anfrage wurde nicht verstanden"},
                  {"Open the link again from the e-mail.", "Öffnen Sie den Link noch einmal aus der E-Mail."});
  }
  return {};
}

}  // namespace mailhold::links
