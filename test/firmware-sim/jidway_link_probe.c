/* jidway_link.h by the line: each line of stdin is a call, what it sends and does comes out. Time is what the lines say. */
#include <stdio.h>
#include <stdlib.h>

#define JIDWAY_LINK_POINTS 32
#define JIDWAY_LINK_RING 8
#define JIDWAY_LINK_BODY 253
#include "jidway_link.h"

#define TEXT 128
static char texts[32 * 3 + 4][TEXT];
static jidway_point points[32];
static jidway_board board;
static jidway_link link_;
static uint8_t answer;

static void show(void *context, const uint8_t *bytes, size_t length) {
    (void)context;
    printf("sent ");
    for (; length > 0; length--) printf("%02x", *bytes++);
    printf("\n");
}

static uint8_t command(void *context, uint8_t point, int32_t value) {
    (void)context;
    printf("command %u %ld\n", point, (long)value);
    if (answer == JIDWAY_DONE) jidway_link_set(&link_, point, value);
    return answer;
}

/* "-" is nothing, otherwise hexadecimal. */
static const char *text(const char *hex, char *into) {
    size_t at = 0;
    unsigned byte;
    if (hex[0] != '-') for (; at < TEXT - 1 && sscanf(hex, "%2x", &byte) == 1; hex += 2) into[at++] = (char)byte;
    into[at] = 0;
    return into;
}

static int32_t number(const char *word) { return word[0] == 'x' ? JIDWAY_ABSENT : (int32_t)strtol(word, 0, 10); }

int main(void) {
    static char line[4096], words[10][1024];
    while (fgets(line, sizeof line, stdin)) {
        const int count = sscanf(line, "%1023s %1023s %1023s %1023s %1023s %1023s %1023s %1023s %1023s %1023s", words[0], words[1], words[2], words[3], words[4], words[5], words[6], words[7], words[8], words[9]);
        const char *verb = words[0];
        if (!strcmp(verb, "board") && count == 7) {
            memset(&board, 0, sizeof board);
            board.uid = text(words[1], texts[96]);
            board.name = text(words[2], texts[97]);
            board.model = text(words[3], texts[98]);
            board.firmware = text(words[4], texts[99]);
            board.every_s = (uint32_t)strtoul(words[5], 0, 10);
            board.listens = (uint8_t)number(words[6]);
            board.points = points;
            board.write = show;
            board.command = command;
        } else if (!strcmp(verb, "point") && count == 10 && board.point_count < 32) {
            const uint8_t index = board.point_count++;
            points[index].name = text(words[1], texts[3 * index]);
            points[index].kind = (uint8_t)number(words[2]);
            points[index].access = (uint8_t)number(words[3]);
            points[index].decimals = (uint8_t)number(words[4]);
            points[index].unit = text(words[5], texts[3 * index + 1]);
            points[index].min = number(words[6]);
            points[index].max = number(words[7]);
            points[index].step = number(words[8]);
            points[index].labels = text(words[9], texts[3 * index + 2]);
        } else if (!strcmp(verb, "init")) {
            const uint8_t fits = jidway_link_init(&link_, &board, (uint32_t)strtoul(words[1], 0, 10));
            printf("init %u %lu\n", fits, (unsigned long)link_.schema);
        } else if (!strcmp(verb, "set")) jidway_link_set(&link_, (uint8_t)number(words[1]), number(words[2]));
        else if (!strcmp(verb, "report")) jidway_link_report(&link_, (uint32_t)strtoul(words[1], 0, 10));
        else if (!strcmp(verb, "poll")) while (jidway_link_poll(&link_, (uint32_t)strtoul(words[1], 0, 10))) {}
        else if (!strcmp(verb, "answer")) answer = (uint8_t)number(words[1]);
        else if (!strcmp(verb, "feed")) {
            const char *hex = words[1];
            unsigned byte;
            for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) jidway_link_feed(&link_, (uint8_t)byte, (uint32_t)strtoul(words[2], 0, 10));
        } else if (!strcmp(verb, "state")) {
            uint8_t at, kept = 0;
            for (at = 0; at < JIDWAY_LINK_RING; at++) kept = (uint8_t)(kept + link_.ring[at].kept);
            printf("state %u %u %lu %lu %lu\n", link_.welcomed, kept, (unsigned long)link_.dropped, (unsigned long)link_.broken, (unsigned long)jidway_link_unix(&link_, (uint32_t)strtoul(words[1], 0, 10)));
        } else {
            printf("what %s", line);
            return 2;
        }
    }
    return 0;
}
