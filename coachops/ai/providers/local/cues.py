"""The wordings that tell a question, a reflection, input and other talk apart, with their weights.

The weights are set by hand: 3 nearly decides alone, 1 leans, 0.5 tips a balance; a negative weight
speaks against. The classes and their meaning follow the coding scheme of AnnoMI (Wu et al. 2022) and
of motivational interviewing: a *question* asks, a *reflection* gives back what the client said or
meant, *input* informs, advises, negotiates or sets goals, *other* is everything else (facilitating,
greeting, thanking, structuring). To add a wording, add it to the row it belongs to.
"""

from __future__ import annotations

from .phrases import Cue
from .text import word_set

# Said before the sentence proper: skipped, so that "okay, so, um, you feel..." starts with "you".
OPENERS = word_set("""
    ok okay so well right yeah yes yep yup all alright great good and but now sure then oh no nope
    mhm mm hm hmm wow excellent perfect wonderful fantastic awesome cool nice gosh absolutely exactly
    definitely certainly also anyway again actually basically because 'cause cause gotcha ah aha uh
    um like just really very interesting true correct indeed maybe too fine exactly still even or
    """)
OPENER_PAIRS = frozenset(
    {
        ("you", "know"),
        ("i", "mean"),
        ("i", "see"),
        ("got", "it"),
        ("of", "course"),
        ("let's", "see"),
        ("first", "of"),
        ("in", "fact"),
    }
)

# A turn of nothing but these gives the floor back to the client.
BACK_CHANNELS = word_set("""
    ok okay yeah yes yep yup right sure alright all mm hmm hm mhm uh huh um ah oh wow great good fine
    cool nice excellent awesome perfect wonderful fantastic exactly absolutely definitely certainly
    true correct interesting really gotcha see i got it that's that is very so well no nope and but
    then of course sounds like a plan kidding way gosh my goodness god lovely brilliant super amazing
    sorry please thanks thank you bye hi hello welcome there it's fair enough makes sense let's
    because or now to the know congratulations understood totally indeed too okey dokey aha
    """)

TABLE: tuple[Cue, ...] = (
    # ------------------------------------------------------------------ questions
    Cue(
        "asks with a question word",
        "{wh} {aux};{wh} else|kind|kinds|sort|sorts|about|many|much|often|long|far|old|come|important|"
        "confident|ready|likely|big|bad|deep|well|time|type|types|number|part|parts|plan|steps|"
        "things|thing|thoughts|ideas|plans|day|days|reason|reasons|would|made|makes|brings|brought|"
        "happened|happens|led;what's|how's|who's|where's|when's|why's|how're|what're|what'd|how'd;"
        "what if;on a scale;what are|were|is|was;to what extent;in what way|ways;for what",
        start=True,
        weights={"q": 2.0},
    ),
    Cue(
        "question word and inversion inside",
        "what|how|why|where|when|who do|does|did|would|could|can|will|should|might|has|have|are|were"
        " you|we|that|it|they|he|she|your|this|those|these;what else;how come;what about;how about;"
        "what are|were|is|was you|your|some|the;what's something|one|your|the|it|that;what|which made|makes|keeps|brings|brought|happened|happens|led|stops|gets;what kind|sort|kinds|sorts of;anything else;"
        "what would it;how important|confident|ready|likely|much|many|often|long",
        weights={"q": 1.3},
    ),
    Cue(
        "asks by inversion",
        "{aux} {subject};{aux} not {subject};any thoughts|questions|ideas|other|others|reason|concerns;"
        "anything else|that|you|about|in;anybody|anyone else;ever;which {aux}",
        start=True,
        weights={"q": 1.0},
    ),
    Cue(
        "asks to tell",
        "tell me more|about|what|why|how|where|when|a|some|the|if|that|your;tell me;"
        "talk to me about|a|more;describe for|to|what|how|your|the;"
        "walk me through;give me an|a|some example|sense|idea;help me understand|to;"
        "say more|some|a;explain to|what|how;share with me;go|take me through",
        start=True,
        weights={"q": 2.2},
    ),
    Cue(
        "asks indirectly",
        "i'm|am|also|just|really curious;i wonder if|what|how|whether|why|where|when;"
        "i'm|was|am|been|just|also wondering;tell me -|a|some more|little|bit;can|could you tell me;"
        "let me ask;like|want|wanted|going|love to ask|know|hear|understand|check;"
        "would|could|can you describe|explain|share|give|say|walk|talk;tell me about|what|why|how|where;"
        "i'd like|love you to tell;if you had to|could;would you say;do you think|feel|want|know|have|"
        "mind|see|ever|agree;did you;have you;are you;would you;could you;on a scale",
        weights={"q": 1.2},
    ),
    Cue(
        "asks leave",
        "would it be okay|ok|alright|fine|helpful|useful|possible;is it okay|ok|alright|fine;"
        "would|do you mind;if that's|it's|it okay|ok|alright|all|fine with;can|could|may i ask|share|"
        "give|tell|get|take|offer|make;would that be;is that okay|ok|alright|fine|all|something;"
        "does that make|sound|fit|work|seem",
        weights={"q": 1.0, "r": -0.8},
    ),
    # ------------------------------------------------------------------ reflections
    Cue(
        "reflection stem",
        "it|that|this -|really|kind|almost|also sounds like|as;sounds like|as|pretty|really|very|kind;"
        "it|that|this -|just sounds hard|tough|difficult|painful|stressful|frustrating|exciting|important|overwhelming;what i'm|i hear|hearing|understand|understanding|gather|get|getting;"
        "what you're|you are saying|telling|describing;i'm|i -|also|really hear|hearing that|you|"
        "some|a|from|is|there;i heard you|that|some;it seems|feels|felt like|as|that|to|really|kind;"
        "seems like|as|to|that|really;in other words;you're|you are saying|telling me;if i understand|"
        "hear|heard|get|got;i get|got the|a impression|sense|feeling|idea;sense of that;"
        "i can see|hear|imagine|tell that|how|you|this|it;looks like you|you're|it;i imagine|gather;"
        "let me make|see if|sure;make sure i|that understand|understood|understanding|heard|got|have;"
        "let me summarize|summarise|recap;to summarize|summarise|recap;so far;"
        "did i get|hear that|you|it;is that right|fair|correct|it|accurate;am i right|hearing|getting",
        weights={"r": 1.8, "q": -0.6, "i": -0.6, "o": -0.5},
    ),
    Cue(
        "begins with the client",
        "you're|you are|were|feel|felt|want|wanted|like|don't|didn't|do|did|have|had|haven't|"
        "know|think|thought|see|need|love|enjoy|really|just|also|still|said|mentioned|seem|find|found|"
        "get|got|can't|couldn't|would|wouldn't|wish|hope|value|care|believe|notice|noticed|"
        "realize|realise|realized|realised|recognize|recognise|recognized|came|went|took|made|used|"
        "tried|kind|kinda|almost|already|always|never|sort|were|wanna|start|started|"
        "lost|left|put|keep|kept|hate|miss|look|looked|understand|understood|worry|worried|"
        "decided|struggle|struggled|'ve|prefer|expected|expect|live|work|worked|spend|spent;"
        "you've;you'd;you feeling|wanting|being|having",
        start=True,
        weights={"r": 1.5, "i": -0.2},
    ),
    Cue(
        "names a feeling or a wish of the client",
        "you're|you|you've -|been|really|just|kind|pretty|very|a|also|not|still feel|feeling|felt|want|"
        "wanting|worried|concerned|afraid|scared|frustrated|hoping|looking|struggling|thinking|"
        "wondering|trying|tired|stuck|proud|ready|torn|stressed|overwhelmed|happy|sad|angry|upset|"
        "surprised|anxious|nervous|lonely|excited|ashamed|guilty|confident|motivated|willing|"
        "committed|interested|noticing|realizing|realising|starting|beginning|finding|used;"
        "you'd like|rather|love;you would like|rather|love;you don't want|feel|like|know|see|think|have|wanna|need;"
        "important to|for you;matters to you;for you -|it's|that's|this;"
        "part of you;bothers|worries|scares|bothering|worrying|concerning|hurts|frustrates you;"
        "hard|tough|difficult|scary|frustrating|overwhelming|exciting|stressful for|on you;"
        "makes|made|make|making you feel;you care;you value",
        weights={"r": 0.6},
    ),
    Cue(
        "weighs two sides",
        "on -|the one hand;on the other hand|side;at the same time;two|both ways|sides|things;part of you;"
        "and yet;even though you;you also;as well as",
        weights={"r": 1.0},
    ),
    Cue(
        "refers to what the client said",
        "you -|had|have|also|just|already said|mentioned|told|described|talked;you've -|also|already "
        "said|mentioned|told|described|talked|noticed|come|got|had|been|tried|done|found;"
        "like|as you said|say|mentioned;you were saying|talking|telling",
        weights={"r": 0.7, "i": 0.1},
    ),
    Cue(
        "gives back how it is for the client",
        "it's|that's|it|that -|is -|really|been|been|pretty|kind|so|a|very|been -|really|of hard|tough|"
        "difficult|scary|frustrating|overwhelming|exciting|stressful|important|big|lot|huge|painful|"
        "embarrassing|annoying|shocking|challenge|struggle;that must|would|might|could be|feel|have;"
        "must be|have|feel",
        start=True,
        weights={"r": 0.9},
    ),
    # ------------------------------------------------------------------ input
    Cue(
        "advises",
        "i'd|would -|really|strongly recommend|suggest|advise|encourage|urge;i recommend|suggest|advise|"
        "encourage;my recommendation|suggestion|advice;recommend|recommended|recommends|"
        "recommendation|recommending;you should|shouldn't|must|ought;you -|really|probably|might|may|"
        "also|will|just need|have|want|wanna to;you could -|also|always|maybe|just try|do|have|use|"
        "take|get|go|start|look|ask|say|talk|write|put|make|find|think;you can -|also|always|just try|"
        "do|use|take|go|start|look|ask|say|write|put|call|come|find|tell|bring|make;"
        "you may|might -|also want|wanna|be|find|consider|like|notice|have;"
        "try to;make sure;why don't you|we;i want|need|like you to;i'd like you to;it's|is important "
        "to|that|for;it would|might|could|may be good|better|best|helpful|useful|worth;"
        "one thing|option|idea|way|possibility|suggestion;another thing|option|idea|way;"
        "you're gonna;you gotta;you've got to;i wish you'd|you;you don't want|wanna|have to;just let|tell|"
        "call|ask|take|make;be sure;don't forget;you'll want|need|have|find|notice|be;think about|of quitting|trying|doing|how",
        weights={"i": 1.6, "r": -0.4},
    ),
    Cue(
        "informs",
        "research|studies|study|evidence|statistics|data|guidelines|guideline|according|percent|average|"
        "risk|risks|increases|reduces|causes|effective|effects|benefits|symptoms|cases|typically|"
        "generally|normally|usually|common|commonly|tends|tend|depends|because of;known as;"
        "people who;some|many|most|other|lot of -|of people|patients|clients|folks|women|men|kids|"
        "students|families|teens|adults|coaches|leaders|managers|teams;"
        "we know|find|found|recommend|offer|use|have|call|also;it can|could|may|might|will|does;"
        "they can|may|will|are|have|do;this|which|that is|can|will|means;"
        "there are|is a|some|other|many|several|different|lots|also|no|things|people;"
        "for example|instance;such as;what -|that|this|it means;what happens;"
        "in terms of;more likely;be aware;the reason;works by;turns out;the thing|idea|point|goal is",
        weights={"i": 0.7},
    ),
    Cue(
        "names a source of knowledge",
        "research|studies|study|evidence|statistics|data|guidelines|experts -|has|have show|shows|shown|"
        "suggest|suggests|say|says|indicate|found|find;according to;there|there's is -|good|some|strong|a "
        "evidence|research|study;recommended limit|dose|amount;we know that|from;in general;for example|"
        "instance;it's known|called;what we call;is called",
        weights={"i": 0.8, "r": -0.3},
    ),
    Cue(
        "gives an own view or tells of oneself",
        "i think|believe|guess|know|agree|understand|see|noticed|notice|also|do|did|can|will|work|have|"
        "had|was|am|saw|just|want|wanted|need|would|really|hope|don't|appreciate|feel;i'm -|really|just|also "
        "glad|happy|concerned|worried|proud|going|gonna|here|sorry|not|afraid|impressed;i'd|i'll|i've;"
        "my job|role|concern|goal|experience|perspective|opinion|understanding;in my;to be honest;"
        "from a|my;as your|a",
        start=True,
        weights={"i": 0.7, "o": 0.6, "r": -0.3},
    ),
    Cue(
        "plans or structures together",
        "we'll|we can|could|will|need|should|might|have;what we|i'll|we'll|i|i'd -|do|can|want|like|are|"
        "will;i'll|i'm gonna|going|have|give|set|send|call|see|show;next time|week|step|steps;"
        "let's -|just talk|look|do|start|set|go|see|take|make|try|get|come|think|focus;"
        "we're going|gonna;i'd like to|us;today we|i|we're;follow up;set -|up a;"
        "i want to|you;i wanted to;i'm going|gonna to",
        weights={"i": 0.5, "o": 0.5, "r": -0.5},
    ),
    Cue(
        "your choice",
        "it's|is -|really|completely|entirely|totally|all|always up to you;your choice|decision|call;"
        "you're the one|only|expert|boss;only you;you decide|choose;you -|can|get|have to decide|choose;"
        "nobody|no can|one|will make|can;whatever you decide|choose|want",
        weights={"i": 1.6, "r": -0.6},
    ),
    Cue(
        "affirms",
        "good|great|nice|excellent|wonderful|fantastic|awesome|amazing|impressive -|for job|work|idea|"
        "step|start|you|question|point|plan|thinking|news;that's -|really|very|so|a|such|pretty|"
        "absolutely great|good|awesome|wonderful|excellent|fantastic|amazing|nice|cool|terrific|"
        "impressive|perfect|interesting|fine|okay|helpful;congratulations;well done;proud of you;"
        "i -|really|do appreciate;good for you;glad you|that|to;i'm -|so|really|very glad|happy|impressed",
        weights={"o": 0.6, "i": 0.4, "r": 0.1, "q": -0.2},
    ),
    # ------------------------------------------------------------------ other
    Cue(
        "greets, thanks, parts",
        "thank you|so;thanks;hi|hello|hey|welcome;good morning|afternoon|evening|bye;see you;take care;bye;my name|name's;"
        "i'm sorry;sorry;you're welcome;have a seat;come -|on in;no problem|worries;"
        "how are you;look forward;looking forward",
        start=True,
        weights={"o": 2.2, "i": -0.3, "r": -0.8},
    ),
    Cue(
        "pleasantries",
        "nice|good|great|pleasure|lovely to meet|see|talk;nice|good|great|lovely meeting|seeing|talking;"
        "thank you so|very|for;thanks for|so|again;look|looking forward;here you go;have a good|great|nice",
        weights={"o": 1.2, "r": -0.8},
    ),
    Cue(
        "coach structures the talk",
        "let's -|just start|begin|see|go|move|get|come|talk|stop|take;before we|you;we have|only about|"
        "minutes|time;let me -|just see|get|write|check|look|show|know|think|go|start|back|stop;"
        "get started;go ahead;take your time;take a|one seat|look|minute|moment|second;hold on;"
        "one moment|second|minute;our time;our session;last|next|this session|meeting|visit",
        weights={"o": 0.9, "r": -0.3},
    ),
)

# How an utterance is built, beside its wording: points per class, in the order of the classes
# (question, reflection, input, other).
FORM: dict[str, tuple[float, float, float, float]] = {
    "prior": (0.0, 0.3, 0.3, 0.2),
    "nothing but back-channels": (0.0, 0.0, 0.0, 5.0),
    "a back-channel that asks": (2.0, 0.0, 0.0, 2.0),
    # questions
    "a question mark": (1.6, 0.0, -0.4, -0.8),
    "no question mark": (-0.8, 0.3, 0.0, 0.0),
    "no punctuation at all, the form of a question": (2.0, 0.0, 0.0, 0.0),
    "marked sentence has the form of a question": (1.3, 0.0, 0.0, 0.0),
    "marked sentence begins with the client": (0.0, 0.4, 0.0, 0.0),
    "the last sentence is marked": (0.4, 0.0, -0.2, 0.0),
    "goes on after the question": (0.0, 0.0, 0.4, 0.0),
    "long, little of it asked, the rest informs": (-1.8, 0.0, 1.6, 0.0),
    "long, little of it asked, the rest reflects": (-1.6, 1.6, 0.0, 0.0),
    # openings
    "opens with so": (0.0, 0.5, 0.0, 0.0),
    "states what it or that is": (0.0, 0.3, 0.0, 0.0),
    # length
    "1-3 words": (0.0, 0.3, 0.0, 0.3),
    "4-8 words": (0.0, 0.0, 0.0, -0.2),
    "9-20 words": (0.0, 0.0, 0.0, -0.8),
    "21-45 words": (0.0, 0.2, 0.3, -1.2),
    "over 45 words": (0.0, 0.1, 0.9, -1.6),
    "four sentences and more": (0.0, 0.0, 0.5, 0.0),
    # words
    "share of words the client just used": (0.0, 1.3, -0.3, 0.0),
    "echo of the client": (0.0, 0.5, 0.0, 0.0),
    "share of words for you, times four, at most 0.6": (0.0, 1.0, 0.0, 0.0),
    "over six words, none for you": (0.0, 0.0, 0.3, 0.0),
    "speaks as I": (0.0, -0.5, 0.4, 0.5),
    "speaks as we": (0.0, -0.4, 1.0, 0.0),
    "a number": (0.0, 0.0, 0.3, 0.0),
    # what the client does before and after
    "the client agrees": (0.0, 0.4, 0.0, 0.0),
    "the client only agrees": (-0.4, 0.4, 0.0, 0.0),
    "the client takes note": (0.0, 0.0, 0.7, 0.2),
    "the client tells": (0.4, 0.0, 0.0, 0.0),
    "answers a question of the client": (0.0, -0.6, 1.3, 0.0),
}

# Share of a neighbour's points that an utterance takes over when the transcript cut one turn in two
# ("...so you feel-" / "Mm-hmm." / "-that it is too much.").
CONTINUES = 0.4
IS_CONTINUED = 0.3

# First words of the client's answer.
AGREES = word_set(
    "yeah yes yep yup right exactly mm definitely absolutely true mhm totally correct"
)
TAKES_NOTE = word_set("okay ok alright oh wow")

# Wording of open questions: they invite to tell and cannot be answered by yes, no, a number or a name.
OPEN_START = (
    "what;how;why;what's|how's|why's;tell me;talk to me about;describe;walk|take me through;say more|some;"
    "explain;share;help me understand;give me an|a|some example|sense|idea;"
    "can|could|would|will you -|please|just tell|describe|explain|share|say|walk|talk|give"
)
OPEN_ANYWHERE = (
    "what do|does|did|would|could|can|will|might|has|have|are|were|is|was|makes|made|else;"
    "how do|does|did|would|could|can|will|might|has|have|are|were|is|was;why do|does|did|is|are|was|would;"
    "what's;how come;tell me -|a|some -|little|bit -|more about|what|how|why;what kind|kinds|sort|sorts of;"
    "curious|wonder|wondering -|about what|how|why"
)
# These look open but ask for a number, a name, a place or a yes.
CLOSED = (
    "how many|much|often|long|old|far|big|soon|late|early|tall|likely|confident|important|ready|sure|"
    "satisfied|willing|committed;how about if|we|you|i;what if;why don't|not;what time|day|date|number|"
    "year|month|age|percentage|percent;what's your name|number|address;on a scale;what number"
)
