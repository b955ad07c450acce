#include "features/scanning/item_text.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "fakes/stored_zip.h"
#include "features/scanning/extract_messages.h"

namespace mailhold::scanning {
namespace {

ExtractedText event_with(const std::string& lines) {
  return extract_text(TextForm::icalendar, "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" + lines + "END:VEVENT\r\nEND:VCALENDAR\r\n");
}

ExtractedText task_with(const std::string& lines) {
  return extract_text(TextForm::icalendar, "BEGIN:VCALENDAR\nBEGIN:VTODO\n" + lines + "END:VTODO\nEND:VCALENDAR\n");
}

ExtractedText card_with(const std::string& lines) {
  return extract_text(TextForm::vcard, "BEGIN:VCARD\r\nVERSION:4.0\r\n" + lines + "END:VCARD\r\n");
}

std::string day_of_text(const ExtractedText& text) { return text.date == 0 ? "none" : to_iso8601(text.date); }

TEST(ItemTextTest, AnEventHasItsPeopleWordsAndAttachments) {
  const ExtractedText text = event_with(
      "DTSTART;TZID=Europe/Berlin:20260302T090000\r\nSUMMARY:Caf\r\n \xC3\xA9\\, again\r\n"
      "ORGANIZER;CN=\"M\xC3\xBCller, Bea\":mailto:bea@e.example\r\nATTENDEE;ROLE=CHAIR;CN=Ann:MAILTO:ann@a.example\r\n"
      "ATTENDEE;EMAIL=own@c.example:urn:uuid:1\r\nDESCRIPTION:one\\ntwo\\; three\r\nLOCATION:Hall 4\r\nCATEGORIES:WORK,CLUB\r\n"
      "COMMENT:remark\r\nCONTACT:Jo\r\nURL:https://e.example/x\r\nATTACH;FILENAME=plan.pdf;SIZE=9:https://e.example/blob\r\n"
      "X-OWN:unseen\r\nUID:unseen\r\nBEGIN:VALARM\r\nDESCRIPTION:unseen\r\nATTACH:unseen\r\nEND:VALARM\r\n");
  EXPECT_EQ(text.subject, "Caf\xC3\xA9, again\n");
  EXPECT_EQ(text.senders, "M\xC3\xBCller, Bea <bea@e.example>\n");
  EXPECT_EQ(text.recipients, "Ann <ann@a.example>\n<urn:uuid:1> <own@c.example>\n");
  EXPECT_EQ(text.body, "one\ntwo; three\nHall 4\nWORK,CLUB\nremark\nJo\nhttps://e.example/x\nhttps://e.example/blob\n");
  EXPECT_EQ(text.attachment_names, "plan.pdf\n");
  EXPECT_TRUE(text.has_attachment);
  EXPECT_TRUE(text.complete);
  EXPECT_EQ(day_of_text(text), "2026-03-02T09:00:00.000Z") << "as it is written";
  EXPECT_EQ(text.documents_read + text.documents_unread, 0U);
  EXPECT_FALSE(event_with("SUMMARY:x\r\n").has_attachment);
}

TEST(ItemTextTest, AttachmentsInsideAreReadAsThoseOfMessages) {
  const std::string docx = stored_zip({{"[Content_Types].xml", ""}, {"word/document.xml", "<d><p><t>chalk cliffs</t></p></d>"}});
  const auto inside = [](const std::string& type, const std::string& bytes) {
    return "ATTACH;FILENAME=a;FMTTYPE=" + type + ";ENCODING=BASE64;VALUE=BINARY:" + to_base64(bytes) + "\r\n";
  };
  class NoPrograms final : public DocumentPrograms {
    DocumentText read_pdf(std::string_view, std::size_t) override { return {}; }
  } programs;
  const auto event = [&](const std::string& lines) {
    return extract_text(TextForm::icalendar, "BEGIN:VEVENT\r\n" + lines + "END:VEVENT\r\n", &programs);
  };
  ExtractedText text = event(inside("application/octet-stream", docx) + inside("text/html", "<p>in a page</p>") +
                             inside("TEXT/plain", "plain") + inside("image/png", "\x89PNG"));
  EXPECT_EQ(text.attachment_text, "chalk cliffs\n\nin a page\n\nplain\n");
  EXPECT_EQ(text.attachment_names, "a\na\na\na\n");
  EXPECT_EQ(text.documents_read, 1U);
  EXPECT_TRUE(text.complete);
  text = event(inside("application/pdf", "%PDF-1.4"));
  EXPECT_EQ(text.documents_unread, 1U);
  EXPECT_FALSE(text.complete);
  // However many there are, the answer is one that is taken.
  std::string many;
  for (int i = 0; i < 2000; ++i) many += inside("application/pdf", "%PDF-1.4");
  text = event(many);
  EXPECT_EQ(text.documents_unread, inline_attachments_max + 1);
  EXPECT_TRUE(parse_extracted(encode_extracted(text)));
}

TEST(ItemTextTest, AContactIsFoundByItsNamesAndAddressesAsSomebody) {
  const ExtractedText text = card_with(
      "FN;PREF=1:Ren\xC3\xA9 "
      "Dupr\xC3\xA9\r\nN:Dupr\xC3\xA9;Ren\xC3\xA9;;Dr.;\r\nNICKNAME:Rudi\r\nitem1.EMAIL;TYPE=work:r@d.example\r\n"
      "ORG:Works\\, Ltd.;Sales\r\nTITLE:Head\r\nTEL;VALUE=uri:tel:+49-30-123\r\nADR;TYPE=HOME:;;Street 1\\, "
      "Yard;Berlin;;10115;\r\n"
      "NOTE:one\\ntwo\r\nCATEGORIES:club\r\nURL:https://d.example\r\nIMPP:xmpp:r@x.example\r\nREV:2026-03-02T09:00:00Z\r\n"
      "PHOTO:data:image/png\\;base64\\,unseen\r\nKEY;ENCODING=b:dW5zZWVu\r\nX-OWN:unseen\r\n");
  EXPECT_EQ(text.subject, "Ren\xC3\xA9 Dupr\xC3\xA9\n");
  EXPECT_EQ(text.senders, "Ren\xC3\xA9 Dupr\xC3\xA9\nDupr\xC3\xA9 Ren\xC3\xA9  Dr. \nRudi\nr@d.example\n");
  EXPECT_EQ(text.recipients, text.senders);
  EXPECT_EQ(text.body,
            "Works, Ltd. Sales\nHead\ntel:+49-30-123\n  Street 1, Yard Berlin  10115 \none\ntwo\nclub\nhttps://d.example\n"
            "xmpp:r@x.example\n");
  EXPECT_EQ(text.attachment_names + text.attachment_text, "");
  EXPECT_FALSE(text.has_attachment);
  EXPECT_EQ(day_of_text(text), "2026-03-02T09:00:00.000Z");
  EXPECT_EQ(day_of_text(card_with("FN:x\r\nBDAY:19800229\r\n")), "none");
}

TEST(ItemTextTest, EachKindHasADateOfItsOwn) {
  EXPECT_EQ(day_of_text(event_with("DTSTART;VALUE=DATE:20260501\r\n")), "2026-05-01T00:00:00.000Z");
  EXPECT_EQ(day_of_text(event_with("DUE:20260501\r\n")), "none");
  EXPECT_EQ(day_of_text(task_with("DTSTART:20260501T080000Z\nDUE:20260502T080000Z\n")), "2026-05-02T08:00:00.000Z");
  EXPECT_EQ(day_of_text(task_with("DTSTART:20260501T080000Z\n")), "2026-05-01T08:00:00.000Z");
  EXPECT_EQ(day_of_text(task_with("SUMMARY:some day\n")), "none");
  // Of a series the first, wherever its exceptions stand; nothing of its zone.
  EXPECT_EQ(day_of_text(extract_text(TextForm::icalendar,
                                     "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nBEGIN:STANDARD\nDTSTART:19701025T030000\nEND:STANDARD\n"
                                     "END:VTIMEZONE\nBEGIN:VEVENT\nDTSTART:20260323T140000\nEND:VEVENT\nBEGIN:VEVENT\n"
                                     "DTSTART:20260302T090000\nRRULE:FREQ=DAILY\nEND:VEVENT\nEND:VCALENDAR\n")),
            "2026-03-02T09:00:00.000Z");
  EXPECT_EQ(event_with("DTSTART:19541231T090000\r\n").date, 1) << "before 1970 it is 1970";
  EXPECT_EQ(event_with("DTSTART:19700101T000000Z\r\n").date, 1);
  for (const char* none : {"", "20261301", "tomorrow", "2026", "2026050", "--0412"})
    EXPECT_EQ(day_of_text(event_with("DTSTART:" + std::string(none) + "\r\n")), "none") << none;
  EXPECT_EQ(day_of_text(event_with("DTSTART:20260501T256199\r\n")), "2026-05-01T00:00:00.000Z") << "the day is one";
  EXPECT_TRUE(parse_extracted(encode_extracted(event_with("DTSTART:99991231T235959Z\r\n"))));
}

TEST(ItemTextTest, WhatCannotBeReadIsKnownAndWhatIsTooLongIsCut) {
  for (const TextForm form : {TextForm::icalendar, TextForm::vcard}) {
    const ExtractedText text = extract_text(form, "BEGIN:VEVENT\r\nno line of it\r\nEND:VEVENT\r\n");
    EXPECT_FALSE(text.complete);
    EXPECT_EQ(text.documents_unread, 1U);
    EXPECT_TRUE(parse_extracted(encode_extracted(text)));
  }
  const ExtractedText long_one = extract_text(TextForm::icalendar, std::string(item_text_bytes_max + 1, 'a'));
  EXPECT_EQ(long_one.documents_unread, 1U);
  std::string lines = "DESCRIPTION:" + std::string(1'000'000, 'x') + "\r\n";
  for (int i = 0; i < 5'000; ++i) lines += "ATTENDEE;CN=somebody:mailto:somebody@a.example\r\n";
  const ExtractedText text = event_with(lines + "SUMMARY:" + std::string(100'000, 's') + "\r\n");
  EXPECT_FALSE(text.complete);
  EXPECT_LE(text.body.size(), extracted_body_bytes_max);
  EXPECT_LE(text.recipients.size(), extracted_header_bytes_max);
  EXPECT_LE(text.subject.size(), extracted_header_bytes_max);
  EXPECT_GT(text.subject.size(), extracted_header_bytes_max - 8);
  EXPECT_TRUE(parse_extracted(encode_extracted(text)));
  const ExtractedText odd = event_with("SUMMARY:a\x01\xFF\r\nATTENDEE;CN=b\x02^nc:d\r\n");
  EXPECT_EQ(odd.subject, "a \xEF\xBF\xBD\n");
  EXPECT_EQ(odd.recipients, "b \nc <d>\n");
}

TEST(ItemTextTest, FormAndDateAreReadStrictlyOfAFrame) {
  const auto call = parse_extract(encode_extract({Id::random(), TextForm::vcard, "x", std::chrono::milliseconds(7)}));
  ASSERT_TRUE(call);
  EXPECT_EQ(call->form, TextForm::vcard);
  for (const int form : {0, 4})
    EXPECT_FALSE(parse_extract(encode_extract({Id::random(), static_cast<TextForm>(form), "x", std::chrono::milliseconds(7)})));
  ExtractedText text;
  text.date = 253'402'300'799'999;
  EXPECT_EQ(parse_extracted(encode_extracted(text))->date, text.date);
  for (const Milliseconds none : {Milliseconds{253'402'300'800'000}, Milliseconds{-1}}) {
    text.date = none;
    EXPECT_EQ(parse_extracted(encode_extracted(text)).error().kind, ErrorKind::corrupt);
  }
}

}  // namespace
}  // namespace mailhold::scanning
