/*
 * A greenhouse board as a POSIX program: bytes in from stdin, bytes out to stdout.
 *
 *     cc -std=c99 -O2 -I firmware-sim -o greenhouse firmware-sim/examples/greenhouse.c
 *     socat PTY,link=/tmp/greenhouse,raw,echo=0 EXEC:./greenhouse
 *
 *     --every MS   report all points so often (default 5000)
 *     --seed N     where the weather begins (default 1)
 *     --mute       only talk: no receive line
 *     --fuzz       read stdin to its end as if it came from a gateway, a byte a millisecond, and say nothing
 */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define JIDWAY_LINK_RING 8
#include "jidway_link.h"

enum { TEMPERATURE, HUMIDITY, SOIL, CO2, LIGHT, PRESSURE, SETPOINT, PUMP, VENT, POINTS };

#define NO JIDWAY_ABSENT
static const jidway_point points[POINTS] = {
    { "temperature", JIDWAY_NUMERIC, JIDWAY_R, 2, "°C", NO, NO, NO, 0 },
    { "humidity", JIDWAY_NUMERIC, JIDWAY_R, 1, "%RH", NO, NO, NO, 0 },
    { "soil", JIDWAY_NUMERIC, JIDWAY_R, 1, "%", NO, NO, NO, 0 },
    { "co2", JIDWAY_NUMERIC, JIDWAY_R, 0, "ppm", NO, NO, NO, 0 },
    { "light", JIDWAY_NUMERIC, JIDWAY_R, 0, "lx", NO, NO, NO, 0 },
    { "pressure", JIDWAY_NUMERIC, JIDWAY_R, 1, "hPa", NO, NO, NO, 0 },
    { "setpoint", JIDWAY_NUMERIC, JIDWAY_RW, 1, "°C", 50, 350, 5, 0 },
    { "pump", JIDWAY_BOOLEAN, JIDWAY_RW, 0, 0, NO, NO, NO, 0 },
    { "vent", JIDWAY_ENUM, JIDWAY_RW, 0, 0, NO, NO, NO, "closed|half|open" },
};

static jidway_link link_;
static int32_t truth[POINTS] = { 2350, 613, 442, 612, 8400, 10132, 210, 0, 0 };
static uint8_t quiet;
static uint32_t weather;

static uint32_t now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint32_t)((uint64_t)time.tv_sec * 1000u + (uint64_t)time.tv_nsec / 1000000u);
}

static void write_out(void *context, const uint8_t *bytes, size_t length) {
    (void)context;
    while (!quiet && length > 0) {
        const ssize_t written = write(STDOUT_FILENO, bytes, length);
        if (written <= 0) exit(0); /* nobody listens any more */
        bytes += written;
        length -= (size_t)written;
    }
}

static uint8_t obey(void *context, uint8_t point, int32_t value) {
    (void)context;
    if (point == SETPOINT) value -= value % 5; /* what a real thermostat does: half degrees */
    truth[point] = value;
    jidway_link_set(&link_, point, value);
    return JIDWAY_DONE;
}

static int32_t wander(int32_t value, int32_t step, int32_t low, int32_t high) {
    weather = weather * UINT32_C(1664525) + UINT32_C(1013904223);
    value += (int32_t)((weather >> 16) % (uint32_t)(2 * step + 1)) - step;
    return value < low ? low : value > high ? high : value;
}

static void measure(void) {
    uint8_t point;
    truth[TEMPERATURE] = wander(truth[TEMPERATURE], 12, -1000, 4500);
    truth[HUMIDITY] = wander(truth[HUMIDITY], 6, 200, 990);
    truth[SOIL] = wander(truth[SOIL], 3, 50, 900);
    truth[CO2] = wander(truth[CO2], 15, 380, 2000);
    truth[LIGHT] = wander(truth[LIGHT], 300, 0, 80000);
    truth[PRESSURE] = wander(truth[PRESSURE], 2, 9600, 10500);
    for (point = 0; point < POINTS; point++) jidway_link_set(&link_, point, truth[point]);
}

int main(int count, char **words) {
    jidway_board board = { "gh-0017", "Greenhouse", "GH-1", "1.0.0", 60, 1, points, POINTS, write_out, obey, 0 };
    uint32_t every = 5000, measured;
    uint8_t bytes[64], fuzz = 0;
    int word;
    for (word = 1; word < count; word++) {
        if (!strcmp(words[word], "--every") && word + 1 < count) every = (uint32_t)strtoul(words[++word], 0, 10);
        else if (!strcmp(words[word], "--seed") && word + 1 < count) weather = (uint32_t)strtoul(words[++word], 0, 10);
        else if (!strcmp(words[word], "--mute")) board.listens = 0;
        else if (!strcmp(words[word], "--fuzz")) fuzz = quiet = 1;
        else {
            fprintf(stderr, "Cannot use \"%s\": wanted --every MS, --seed N, --mute or --fuzz\n", words[word]);
            return 2;
        }
    }
    if (!jidway_link_init(&link_, &board, fuzz ? 0 : now_ms())) {
        fprintf(stderr, "Cannot begin: an announcement does not fit into a frame\n");
        return 1;
    }
    if (fuzz) {
        uint32_t now = 0;
        ssize_t length;
        while ((length = read(STDIN_FILENO, bytes, sizeof bytes)) > 0) {
            ssize_t at;
            for (at = 0; at < length; at++, now++) {
                if (now % 50 == 0) {
                    measure();
                    jidway_link_report(&link_, now);
                }
                jidway_link_feed(&link_, bytes[at], now);
                jidway_link_poll(&link_, now);
            }
        }
        return 0;
    }
    measured = now_ms() - every;
    for (;;) {
        struct pollfd input = { STDIN_FILENO, POLLIN, 0 };
        const uint32_t now = now_ms();
        if (now - measured >= every) {
            measured = now;
            measure();
            jidway_link_report(&link_, now);
        }
        while (jidway_link_poll(&link_, now)) {}
        if (poll(&input, 1, 5) > 0) {
            const ssize_t length = read(STDIN_FILENO, bytes, sizeof bytes);
            ssize_t at;
            if (length <= 0) return 0;
            for (at = 0; at < length; at++) jidway_link_feed(&link_, bytes[at], now_ms());
        }
    }
}
