"""What customers write, line by line: requests for a person, for silence, and everything that only looks like danger."""

WANTS_HUMAN = """
Chcę rozmawiać z człowiekiem
chce rozmawiac z czlowiekiem
Czy mogę porozmawiać z konsultantem?
Poproszę konsultanta
proszę o konsultanta
Proszę mnie połączyć z konsultantem
połączcie mnie z kimś z obsługi
Przełącz mnie do człowieka
proszę przełączyć do doradcy
Proszę o kontakt z pracownikiem
Prosze o kontakt telefoniczny
Czy mogę prosić o kontakt z doradcą?
Proszę o rozmowę z kierownikiem sklepu
Chciałabym porozmawiać z kierowniczką
Chciałbym pogadać z kimś kompetentnym
konsultant
Konsultant!!!
człowiek
czlowieka poprosze
Żywą osobę poproszę
Czy jest tu jakiś żywy człowiek?
czy tu pracuje jakiś człowiek
halo, jest tam kto?
czy po drugiej stronie jest człowiek?
Nie chcę rozmawiać z botem
nie chce gadac z robotem
Nie będę pisać z automatem
mam dość rozmów z botem
człowieka, nie bota
Chcę człowieka, a nie automat
zamiast bota poproszę człowieka
Niech mi odpisze człowiek
niech odpowie ktoś z obsługi
Niech ktoś do mnie zadzwoni
Proszę do mnie zadzwonić
Zadzwońcie do mnie
oddzwońcie proszę
Proszę o telefon w tej sprawie
prosiłabym o oddzwonienie
Czy ktoś może do mnie zadzwonić?
Czy ktoś z Państwa mógłby do mnie zadzwonić
Jak dodzwonić się do konsultanta?
jak się skontaktować z konsultantem
Gdzie mogę porozmawiać z człowiekiem?
Podajcie numer do konsultanta
Wolę rozmowę z człowiekiem
wolałabym porozmawiać z prawdziwą osobą
Potrzebuję konsultanta
potrzebuję rozmowy z doradcą
Potrzebuję pomocy człowieka
Dajcie mi człowieka
dajcie konsultanta bo zwariuje
dawajcie mi tu kierownika
Chcę rozmawiać z przełożonym
Żądam rozmowy z kierownikiem
proszę przekazać sprawę pracownikowi
przekażcie to człowiekowi
Przekieruj mnie do konsultanta
Czy to bot czy człowiek?
Czy rozmawiam z botem czy z człowiekiem?
Chcę, żeby odpisał mi pracownik
Proszę, żeby zajął się tym człowiek
tylko boty, czy są tu jacyś ludzie?
Z maszyną nie będę rozmawiać
robotowi nie będę tego tłumaczyć
Czy można porozmawiać z kimś z biura?
Chcę mówić z żywym człowiekiem
Czy ktoś z salonu może się ze mną skontaktować?
I want to speak to a human
can I talk to a real person please
Let me talk to someone
I need to speak with a manager
speak to a representative
Talk to an agent
human please
Human
agent
representative please
real person please
Get me a human
give me a real human being
Can I speak to your supervisor?
I'd like to talk to somebody in person
Is there a real person here?
Is there anyone human there?
are there any humans left at your company
Are you a bot or is there a human I can talk to?
Transfer me to an agent
please transfer this to a human
Connect me to a live agent
connect me with customer service please
put me through to someone
Put me through to a manager
Can someone call me?
could somebody call me back please
Please call me
call me back
I want a callback, not a bot
I don't want to talk to a bot
I refuse to talk to a robot
I won't chat with a machine
not a bot, a person
I want a person, not a machine
sick of talking to a bot, human please
Stop with the bot and let me speak to a person
no more bots, give me a person
I would prefer to deal with an actual person
can a human answer this?
can a person look at my case
have someone contact me
how do I reach a human?
How can I talk to a real person?
need a live agent asap
looking for a human to help me
I want to escalate this to a manager
escalate me to a supervisor
Could I have a word with a manager? I want to speak to the manager
I demand to speak to management
ANY HUMANS THERE
I need an actual human
put your manager on
is this a bot? I want a human
""".strip().splitlines()

OPT_OUT = """
STOP
stop
Stop.
@user STOP
wypisz
koniec
Nie pisz do mnie
Nie piszcie do mnie więcej
nie piszcie juz do mnie
Proszę do mnie nie pisać
proszę nie odpisywać automatem
Prosze nie wysylac mi wiecej wiadomosci
Nie odpisujcie mi więcej
nie odpowiadajcie mi już
Nie wysyłajcie mi więcej wiadomości
nie wysyłajcie mi sms-ów
Przestańcie do mnie pisać
przestancie mi wysylac spam
przestań do mnie pisać
Przestańcie mnie oznaczać
Nie oznaczajcie mnie
Nie kontaktujcie się ze mną
proszę się ze mną nie kontaktować
nie dzwońcie do mnie więcej
Proszę nie dzwonić
Nie życzę sobie automatycznych odpowiedzi
nie zycze sobie wiadomosci od was
Nie życzę sobie kontaktu
Nie chcę automatycznych odpowiedzi
nie chcę od was żadnych wiadomości
nie chce wiecej powiadomien
Nie chcę dostawać newslettera
nie chcę, żebyście do mnie pisali
Wypiszcie mnie
wypiszcie mnie z newslettera
Proszę mnie wypisać z listy
Proszę o wypisanie z newslettera
usuńcie mnie z listy mailingowej
Proszę usunąć mój numer z bazy
skreślcie mnie z listy
Wykreślcie mnie z tej bazy
Cofam zgodę na kontakt
Wycofuję zgodę na marketing
wycofuje wszystkie zgody
Rezygnuję z newslettera
rezygnuję z powiadomień
Rezygnuję z wiadomości od was
Wypisuję się z newslettera
Dość tych wiadomości
dosyć, dość automatycznych odpowiedzi
Dajcie mi spokój
dajcie mi święty spokój
Zostawcie mnie w spokoju
odczepcie się ode mnie
Bez automatów proszę
żadnych automatycznych odpowiedzi proszę
wyłączcie tego bota
Wyłączcie powiadomienia
Wnoszę sprzeciw wobec marketingu
nie zgadzam się na automatyczne odpowiedzi
Stop spam
stop bot
więcej do mnie nie piszcie
Już nigdy więcej nie piszcie do mnie
Nie zaczepiajcie mnie więcej
Proszę nie komentować moich postów, nie piszcie pod moimi postami
unsubscribe
Unsubscribe me
unsubscribe please
opt out
Opt me out
I want to opt out
I'm opting out of this
Stop messaging me
stop replying to me
Please stop contacting me
stop texting me
Stop emailing me
stop spamming me
stop tagging me
Stop sending me messages
stop sending me these emails
stop the automated replies
Stop the bot
Stop your bot
Don't message me
don't message me again
do not contact me
Do not reply to me
do not reply to my posts again
Please don't reply to my tweets
never contact me again
never message me again
Don't text me anymore
don't tag me again
do not send me any more emails
I don't want your messages
I don't want any more emails from you
I do not want to be contacted
Remove me from your list
take me off your list
take me off your mailing list
Please remove my number from your database
delete my email from your list
No more messages
no more automated replies
no more emails please
no more bot messages
Leave me alone
leave me alone please
I withdraw my consent
I revoke my consent to marketing
quit messaging me
Quit spamming me
I never signed up for this newsletter
I didn't ask for these messages
enough with the automated messages
turn off the notifications
I object to direct marketing
lose my number
""".strip().splitlines()

#: Said so, not meant so: none of them may raise anything to high or critical, nor silence the robot.
QUOTES_A_MACHINE = """
Dziękujemy za wiadomość, ale paczki nadal nie ma.
„Twoja wiadomość jest dla nas ważna” i trzy dni ciszy. Brawo.
Dziękuję za kontakt, odezwę się jutro z numerem zamówienia.
Dostałam odpowiedź automatyczną, a potrzebuję człowieka.
Odpowiedź automatyczna, serio?
Odpowiedź automatyczna na moje pytanie: „odezwiemy się”. I nic.
Dziękujemy za kontakt! Moje zamówienie jednak dalej nie dotarło, kiedy odpowiecie?
Jestem na urlopie, czy mogę odebrać paczkę po 5 stycznia?
Jesteśmy na urlopie do piątku, czy możecie przytrzymać paczkę?
Thanks for reaching out to me yesterday, but my refund is still not here.
Thank you for contacting me so quickly!
Out of office again? I need an answer.
This is an automated reply?? I asked a question.
""".strip().splitlines()

INNOCENT = """
Padam ze zmęczenia po tym dniu
padam ze zmeczenia, dobranoc
Zabiję kogoś za kawę
umieram ze śmiechu
Umieram z głodu, o której otwieracie?
Ten sernik to poezja, dałabym się pokroić za przepis
Mąż mnie zabije, jak zobaczy rachunek za te świece
Zabójcza promocja, biorę dwie
Prawie dostałam zawału z radości, jak zobaczyłam paczkę
krew mnie zalewa jak widzę te korki
Nowa kolekcja to bomba
Wasz zapach to petarda
Zabić nudę? Tylko z waszą grą
Nie ma to jak zabijanie czasu w kolejce po lody
Po moim trupie oddam ten kubek
zwrot akcji w trzecim sezonie był świetny
Gra jest tak trudna, że bohater ginie co minutę
W filmie policjant ściga mordercę, polecam
Ser pleśniowy macie w ofercie?
Czy ta mysz bezprzewodowa działa z Macem?
Świeca pali się równo i długo, polecam
Jak długo pali się ta świeca?
Czy poduszka jest hipoalergiczna?
Pracuję w szpitalu i mam zniżkę dla personelu?
Macie zniżki dla pielęgniarek?
Naukowcy odnotowali wzrost zachorowań na grypę
#polska wypadek na A4, trzy osoby w szpitalu
Jak podaje RMF, w Krakowie doszło do pożaru
Według danych GUS liczba samobójstw spadła
Serial o prawniku i jego kancelarii wraca jesienią
Sądzę, że ten kolor jest ładniejszy
w sadzie kwitną już jabłonie
Adwokat z jajek, pyszny likier
Reklama w telewizji bardzo ładna
Czy mogę przekazać napiwek pracownikowi?
Dzięki, pani z obsługi była przemiła
Miły kontakt z konsultantem, dziękuję
Rozmawiałam z konsultantką i wszystko jasne, dziękuję
Nie muszę rozmawiać z konsultantem, już znalazłam
Ten robot kuchenny jest świetny
Automat do kawy działa super
Nie piszcie bzdur w reklamach
Kiedy przestaniecie podnosić ceny?
This cake is to die for
I would kill for a coffee right now
My feet are killing me after your spin class, love it
You killed it with this album
that update murdered my battery lol
I'm dying of laughter
I'm dead 😂😂
These shoes are to die for
dying from excitement, my order shipped
your new track is fire
The show was a bomb
Bath bombs smell amazing
sick beat, love it
My boss is going to kill me if I'm late again haha
absolute steal at this price
Devil's advocate here: the old logo was nicer
I'm allergic to Mondays
food coma after your brunch
Can't stop listening to this
Don't stop making these
Bus stop ads look great
Where is the nearest bus stop to your shop?
Suicide Squad was fun
Killer deal, thanks
Hit me up when the new colours drop
Better Call Saul was a great lawyer show
Do you sell a wireless mouse?
Blue cheese in stock?
Smoked salmon was lovely
The driver was lovely, human kindness at its best
Human error, no worries
Court shoes in size 38?
Steal my heart why don't you
The press release looks great, french press in stock?
No answer needed, just saying thanks
I don't need a human, the bot solved it
Going back to the shop a third time because it's so nice
Is this a stop motion video?
Nonstop rain today
Ktoś zrobił świetną robotę z tą witryną
Every price is down, lovely sale
Moja sąsiadka robi zakupy u was kartą
Nie ma się co martwić, paczka dotarła
Moglibyście zatrudnić więcej masażystek, było super
Zawaliliście z kolorem, ale zapach cudny
Blown away by your hospitality last night
Lost my umbrella too, adding insult to injury
You've taken my neighbour's direct debit from my account, I think
my borscht is burned
Watched one episode too long and the borscht got burned
see you in court (the food court, 8.30)
See you at the tennis court on Sunday
can't see where the download-my-data thing lives nowadays
I'd like to make a data request, where is the download-my-data button?
Only the sling that was meant for the hospital bag isn't here yet
I was scared to open an account, but the lady explained everything
The piano has a mouse's nest in it, empty now, and what a lovely story
how DARE you make me care about a snail
thanks for treating me like a person
How you speak to people matters, thank you
Is it possible to use my voucher twice?
Is it easy to use?
As far as I recall the product was blue
stuck on the train home, bored, tell me a story
Can I change my address online?
I have an account I never made much use of
ah found it, it was under settings, ignore me
Is this your new logo?
No indication that any of my accounts were compromised, just asking
She walks much better since her stroke, thanks to your nurses
A stroke of genius, this campaign
My insurance: how do I go about claiming from your partner?
Po lewej stronie strony głównej widzę baner, co to?
nie udaje mi się do was dodzwonić, o której otwieracie?
Szok i niedowierzanie, taka niska cena
Krzywe szwy w sukience, mam ją odesłać?
Czy badanie krwi u was robi się na czczo?
Wiertarka z udarem, czy macie ją na stanie?
Pół roku czekałam na tę sukienkę i leży na mnie świetnie
Wszyscy stoją w kolejce po wasze lody
Czy udostępnicie mi adres sklepu?
Blat spuchł po pół roku, mam pytanie o naprawę
26 zł za latte z piankami, których nie zamawiałem
Mam uraz do waszych butów, poproszę inny rozmiar
Sklep zwraca od ręki pieniądze, super
Mysz przestała klikać, jest jeszcze na gwarancji?
Stacja rowerów przy szpitalu by się przydała
Biegły w języku niemieckim, szukam pracy
Jestem pełnomocnikiem taty, jak dopisać mnie do konta?
Boję się otworzyć konto przez internet, pomożecie?
Byli Państwo naszą dobrą wróżką
Bilety kupione, zawał w gratisie, jadę na koncert życia!
15 minut na infolinii i faktura poprawiona
""".strip().splitlines()

#: A line each: the flag, then the text.
FLAGGED = """
auto_reply | Dziękujemy za kontakt z Karton-Ek! Twoja wiadomość jest dla nas ważna, konsultant odezwie się wkrótce.
auto_reply | Dzień dobry, dziękujemy za wiadomość. Odpowiemy w ciągu 24 godzin.
auto_reply | dziekujemy za zgloszenie, nasz zespol odezwie sie wkrotce
auto_reply | Odpowiedź automatyczna: jestem na urlopie do 5 grudnia. W pilnych sprawach proszę o kontakt z Anną.
auto_reply | Jestem obecnie poza biurem, wrócę 5 stycznia i wtedy odpiszę.
auto_reply | To jest wiadomość wygenerowana automatycznie, prosimy na nią nie odpowiadać.
auto_reply | Thank you for contacting BoxCo! Your message is important to us and we will get back to you shortly.
auto_reply | Hi, thanks for reaching out to Parcelly. We'll be in touch as soon as possible.
auto_reply | Automatic reply: I am out of the office until Monday.
auto_reply | This is an automated response. We have received your message.
auto_reply | I'm currently out of office until 3 January and will reply on my return.
safety | Moje dziecko wylądowało w szpitalu po waszym deserze
safety | po waszym kremie spuchłam, jadę na sor
safety | Ładowarka stanęła w płomieniach w nocy
safety | W sałatce był kawałek szkła
safety | Kurier mnie uderzył
safety | Zatruliście mi męża
safety | Mąż ma udar, jesteśmy na waszej wycieczce
safety | My daughter had an allergic reaction to your cookies
safety | The charger caught fire on my desk
safety | I found a piece of glass in my soup
safety | Your driver assaulted me
safety | I smell gas in the flat, what do we do?
self_harm | Nie chcę już żyć
self_harm | chce ze soba skonczyc
self_harm | I want to kill myself
self_harm | i don't want to be here anymore
fraud | Ktoś włamał się na moje konto
fraud | ukradli mi pieniadze z karty zapisanej u was
fraud | Na wyciągu mam transakcje, których nie robiłam
fraud | Widzę w aplikacji dane obcej osoby
fraud | my account got hacked
fraud | there is an unauthorised charge on my card
fraud | someone logged into my account and changed my password
fraud | Dostałam podejrzanego SMS-a z dopłatą do paczki, to wy?
fraud | Is this email really from you or a scam?
fraud | Ktoś zrobił zakupy moją kartą zapisaną u was w aplikacji!
fraud | my card is being charged fraudulently from another account
fraud | kradzież 50 euro z portfela w pokoju
safety | Czajnik zepsuty, lada chwila hotel spłonie
safety | Our son has a peanut allergy and we fly with you today
safety | your driver cancelled on me, racist and discriminatory
outage | every doorbell and camera of yours is down
legal | Zgłaszam sprawę do UOKiK
legal | mój prawnik się z wami skontaktuje
legal | spotkamy się w sądzie
legal | Zgłosiłam to na policję
legal | my lawyer will be in touch
legal | see you in court
legal | I filed a complaint with Trading Standards
minors | Mam 13 lat i chcę kupić grę
minors | moja corka ma 4 lata i polknela baterie z waszej zabawki
press | Jestem dziennikarką Gazety Lokalnej, proszę o komentarz
press | I'm a journalist writing a story about your company
formal | Składam reklamację na buty
formal | skladam reklamacje
formal | Odstępuję od umowy kupna
formal | Kiedy dostanę zwrot pieniędzy?
formal | I want to make a formal complaint
formal | I still haven't got my refund
rising_anger | Bojkotuję was i powiem wszystkim znajomym
rising_anger | I'm done with you, boycott this shop
repeat_contact | Piszę trzeci raz w tej sprawie
repeat_contact | Dlaczego nie odpisujecie?
repeat_contact | nikt nie odpisuje od tygodnia
repeat_contact | This is the third time I'm asking
repeat_contact | nobody answers my emails
outage | Czy tylko u mnie nie działa aplikacja?
outage | w całym mieście nie ma prądu
outage | is your site down for everyone?
outage | Płatność nie przechodzi
safety | the hedge trimmer wouldn't switch off
safety | piekarnika nie da się wyłączyć
safety | klientka leży nieprzytomna przy kasach
safety | Passenger in row 22 has collapsed
safety | man on the tracks
safety | ktoś leży na torach
safety | PALI SIĘ piekarnik
safety | gas smell strong
safety | Butla syczy przy zaworze
safety | The driver is drunk, I can smell it
safety | motorniczy jest pijany
safety | w dżemie było szkło, szkło w dżemie
safety | second degree burn on her hand from your kettle
safety | hip broken in two places after your wet floor
safety | mam obdukcję po interwencji waszej ochrony
safety | wyśmiał moją niepełnosprawność przy wszystkich
safety | insulina w drodze od 5 dni, mam zapas do jutra
self_harm | wszystkim będzie lżej beze mnie
fraud | not my transaction
fraud | account stolen
fraud | a payment I don't recognise went out this morning
fraud | karta jest przy mnie, a ktoś płaci w Lyonie
fraud | hasło zmienione bez mojej wiedzy
fraud | your email has forty other patients in cc
fraud | odzyskałam konto po włamaniu, ale zamówienia dalej wiszą
legal | Our advocate has issued a legal notice
legal | Kancelaria w imieniu klienta zwraca się o sprostowanie
legal | UOKiK dostał zrzuty
outage | nobody in Leeds has signal
outage | ATMs out of service at every branch
outage | u wszystkich error 503?
outage | całe miasto bez sieci
outage | żaden terminal w galerii nie przyjmuje kart
outage | Czy jest awaria w Gorzowie?
opt_out | Odszedłem dwa lata temu, a wy wciąż wysyłacie mi oferty. Dajcie spokój.
opt_out | turn off the notifications
rising_anger | To jest żenada
spam | Zarabiaj 500 zł dziennie bez wychodzenia z domu, link w bio
spam | Make $500 a day from home, link in bio
""".strip().splitlines()
